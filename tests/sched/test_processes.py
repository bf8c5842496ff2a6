"""Dynamic processes: fork/join, kill, suspend, await, wait queues (IEEE 1800 §9.3, §9.6, §9.7)."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from world import World, both, cb

Gen = Generator[int | None, None, None]
ALL, ANY, NOW = 0, 1, 2
FINISHED, RUNNING, WAITING, SUSPENDED, KILLED = range(5)


def sleeper(w: World, fs: int, tag: str = "") -> Gen:
    w.after(fs)
    yield
    if tag:
        w.log.append((tag, w.now))


@pytest.mark.parametrize(("kind", "resumed"), [(ALL, 30), (ANY, 10), (NOW, 0)])
def test_fork_resumes_the_parent_when_its_kind_says(kind: int, resumed: int) -> None:
    def scenario(w: World) -> None:
        def parent() -> Gen:
            w.log.append("parent first")
            if w.fork(kind, lambda: sleeper(w, 20, "a"), lambda: sleeper(w, 10, "b"), lambda: sleeper(w, 30, "c")):
                yield
            w.log.append(("parent", w.now))

        w.process(parent)
        w.run()
        w.log.append(w.view.u32(cb.CB_LIVE_DYN))

    w = both(scenario)
    ends = [("b", 10), ("a", 20), ("c", 30)]
    assert sorted((x for x in w.log[1:-1]), key=lambda x: (x[1], x[0] == "parent")) == sorted([*ends, ("parent", resumed)], key=lambda x: (x[1], x[0] == "parent"))
    assert w.log[0] == "parent first" and w.log[-1] == 0


def test_a_fork_without_branches_does_not_block() -> None:
    def scenario(w: World) -> None:
        def parent() -> Gen:
            w.log.extend(w.fork(kind) for kind in (ALL, ANY, NOW))
            yield 1

        w.process(parent)
        w.run()

    assert both(scenario).log == [False, False, False]


def test_children_run_after_the_parent_blocks_in_source_order() -> None:
    def scenario(w: World) -> None:
        def child(i: int) -> Gen:
            w.log.append(i)
            return
            yield

        def parent() -> Gen:
            blocked = w.fork(ALL, lambda: child(1), lambda: child(2), lambda: child(3))
            w.log.append("parent")
            assert blocked
            yield
            w.log.append("joined")

        w.process(parent)
        w.run()

    assert both(scenario).log == ["parent", 1, 2, 3, "joined"]


def test_wait_fork_waits_for_immediate_children_only() -> None:
    def scenario(w: World) -> None:
        def child() -> Gen:
            w.fork(NOW, lambda: sleeper(w, 100, "grandchild"))
            w.after(5)
            yield

        def parent() -> Gen:
            w.fork(NOW, child, lambda: sleeper(w, 7))
            assert w.call["k_wait_fork"]()
            yield
            w.log.append(("parent", w.now))
            w.log.append(w.call["k_wait_fork"]())

        w.process(parent)
        w.run()

    assert both(scenario).log == [("parent", 7), 0, ("grandchild", 100)]


def test_disable_fork_kills_all_descendants_even_of_ended_children() -> None:
    def scenario(w: World) -> None:
        def child() -> Gen:
            w.fork(NOW, lambda: sleeper(w, 100, "orphan"))
            return
            yield

        def deep() -> Gen:
            if w.fork(ALL, lambda: sleeper(w, 200, "deep")):
                yield

        def parent() -> Gen:
            w.fork(NOW, child, deep, lambda: sleeper(w, 2, "ended"))
            w.after(5)
            yield
            w.call["k_disable_fork"]()
            w.after(1)
            yield
            w.log.append("parent")

        def other() -> Gen:
            w.fork(NOW, lambda: sleeper(w, 50, "untouched"))
            w.after(1)
            yield

        w.process(parent)
        w.process(other)
        assert w.run() == cb.REASON_NO_EVENTS
        w.note(w.view.u32(cb.CB_LIVE_DYN))

    assert both(scenario).log == [("ended", 2), "parent", ("untouched", 50), ((50, 0, 0), 0)]


def test_killing_a_child_counts_for_its_join() -> None:
    def scenario(w: World) -> None:
        def parent() -> Gen:
            w.log.append(w.fork(ALL, lambda: sleeper(w, 1000, "long"), lambda: killer(2)))
            yield
            w.log.append(w.now)

        def killer(victim: int) -> Gen:
            w.after(10)
            yield
            w.call["k_kill"](victim - 1)

        w.process(parent)
        w.run()

    assert both(scenario).log == [True, 10]


def test_a_process_can_kill_itself_its_parent_and_a_ready_process() -> None:
    def scenario(w: World) -> None:
        def suicide() -> Gen:
            w.call["k_kill"](w.pid)
            w.log.append(("after kill", w.call["k_proc_status"](w.pid)))
            w.after(1)
            yield
            w.log.append("never")

        def parent() -> Gen:
            me = w.pid

            def child() -> Gen:
                w.call["k_kill"](me)
                w.after(1)
                yield
                w.log.append("never either")

            if w.fork(ALL, child, lambda: sleeper(w, 3, "nor this")):
                yield
            w.log.append("nor the parent")

        def victim() -> Gen:
            w.log.append("killed before it runs")
            yield

        w.process(suicide)
        w.process(parent)

        def murderer() -> Gen:
            w.call["k_kill"](3)
            yield

        w.process(murderer)
        w.process(victim)
        assert w.run() == cb.REASON_NO_EVENTS
        w.log.append([w.call["k_proc_status"](p) for p in range(4)])
        w.log.append(w.now)

    w = both(scenario)
    assert w.log == [("after kill", KILLED), [KILLED, KILLED, WAITING, KILLED], 0]


def test_suspend_holds_a_process_and_resume_lets_a_due_one_run() -> None:
    def scenario(w: World) -> None:
        def ticker() -> Gen:
            for _ in range(4):
                w.after(10)
                yield
                w.log.append(w.now)

        def control() -> Gen:
            def status() -> int:
                return int(w.call["k_proc_status"](0))

            w.after(15)
            yield
            w.call["k_suspend"](0)
            w.log.append(status())
            w.call["k_resume"](0)  # its delay is not over: it goes on waiting
            w.log.append(status())
            w.after(10)
            yield
            w.call["k_suspend"](0)
            w.after(30)
            yield
            w.log.append(("resume", w.now))
            w.call["k_resume"](0)

        w.process(ticker)
        w.process(control)
        w.run()

    assert both(scenario).log == [10, SUSPENDED, WAITING, 20, ("resume", 55), 55, 65]


def test_suspending_a_ready_process_and_oneself() -> None:
    def scenario(w: World) -> None:
        def first() -> Gen:
            w.call["k_suspend"](1)
            w.call["k_suspend"](0)
            w.log.append([w.call["k_proc_status"](p) for p in (0, 1)])
            yield
            w.log.append(("first", w.now))

        def second() -> Gen:
            w.log.append(("second", w.now))
            yield

        def third() -> Gen:
            w.after(5)
            yield
            w.log.append([w.call["k_proc_status"](p) for p in (0, 1)])
            w.call["k_resume"](1)
            w.call["k_resume"](0)

        for body in (first, second, third):
            w.process(body)
        w.run()

    assert both(scenario).log == [[RUNNING, SUSPENDED], [SUSPENDED, SUSPENDED], ("second", 5), ("first", 5)]


def test_await_blocks_until_the_end_and_not_after_it() -> None:
    def scenario(w: World) -> None:
        def parent() -> Gen:
            w.fork(NOW, lambda: sleeper(w, 10, "child"))
            child = 1
            w.call["k_proc_hold"](child)
            assert w.call["k_await"](child)
            yield
            w.log.append(("awaited", w.now, w.call["k_proc_status"](child)))
            assert w.call["k_await"](child) == 0
            w.fork(NOW, lambda: sleeper(w, 1))
            w.log.append(w.u32(w.view.proc_addr(2) + 24))  # another id: the first is held
            w.call["k_proc_drop"](child)
            w.fork(NOW, lambda: sleeper(w, 1))

        w.process(parent)
        w.run()
        w.log.append(sorted(w.gens))

    assert both(scenario).log == [("child", 10), ("awaited", 10, FINISHED), 2, [0, 1, 2]]


def test_wake_of_the_running_process_ends_its_next_wait() -> None:
    def scenario(w: World) -> None:
        def body() -> Gen:
            w.call["k_wake"](w.pid)
            w.after(100)
            yield
            w.log.append(w.now)

        w.process(body)
        w.run()
        w.note("end")

    assert both(scenario).log == [0, ((0, 0, 0), "end")]


@pytest.mark.parametrize("ends", [False, True])
def test_a_store_after_the_wait_was_asked_for_ends_that_wait(ends: bool) -> None:
    def scenario(w: World) -> None:
        n = w.net(1)

        def body() -> Gen:
            w.on(0)
            w.store(n, 1)
            w.after(50)
            if ends:
                return
            yield
            w.log.append(w.now)
            w.after(2)
            yield
            w.log.append(w.now)

        w.process(body, {0: [n]})
        assert w.run() == cb.REASON_NO_EVENTS
        w.note(w.call["k_proc_status"](0))

    assert both(scenario).log == ([((0, 0, 0), FINISHED)] if ends else [0, 2, ((2, 0, 0), FINISHED)])


def test_wait_queues_are_first_come_first_served_and_forget_the_killed() -> None:
    def scenario(w: World) -> None:
        def waiter(i: int) -> None:
            def body() -> Gen:
                w.call["k_waitq_block"](w.scratch + 32, 100 + i)
                yield
                w.log.append((i, w.now))

            w.process(body)

        for i in range(5):
            waiter(i)

        def server() -> Gen:
            q = w.scratch + 32
            w.after(1)
            yield
            w.log.append((w.call["k_waitq_len"](q), w.call["k_waitq_head_arg"](q)))
            w.log.append(w.call["k_waitq_wake_one"](q))
            w.call["k_kill"](2)
            w.after(1)
            yield
            w.log.append(w.call["k_waitq_wake_all"](q))
            w.log.append((w.call["k_waitq_wake_one"](q), w.call["k_waitq_head_arg"](q)))

        w.process(server)
        w.run()

    assert both(scenario).log == [(5, 100), 1, (0, 1), 3, (0, 0), (1, 2), (3, 2), (4, 2)]


def test_killing_frees_the_frames_of_pending_calls() -> None:
    def scenario(w: World) -> None:
        def child() -> Gen:
            last = w.u32(w.view.proc_addr(w.pid) + 16)
            for size in (64, 700):
                f = w.call["k_frame_new"](size)
                w.put(last + 8, f, 4)
                last = f
            w.after(1000)
            yield

        def parent() -> Gen:
            w.fork(NOW, lambda: sleeper(w, 1))
            w.after(5)
            yield
            before = w.view.u64(cb.CB_HEAP_USED)
            for _ in range(3):
                w.fork(NOW, child)
                w.after(5)
                yield
                assert w.view.u64(cb.CB_HEAP_USED) > before + 764
                w.call["k_disable_fork"]()
                w.log.append(w.view.u64(cb.CB_HEAP_USED) - before)

        w.process(parent)
        w.run()

    assert both(scenario).log == [0, 0, 0]


def test_forks_one_after_the_other_use_the_same_memory() -> None:
    def scenario(w: World) -> None:
        def parent() -> Gen:
            for i in range(2000):
                if w.fork(i % 3, lambda: sleeper(w, 1), lambda: sleeper(w, 2)):
                    yield
                w.after(3)
                yield
                if i in (100, 1999):
                    w.log.append((w.view.u64(cb.CB_HEAP_USED), w.view.u32(cb.CB_N_DYN)))

        w.process(parent)
        w.run()

    first, last = both(scenario).log
    assert first == last


def test_a_chain_in_which_every_process_forks_the_next_and_ends_does_not_grow() -> None:
    def scenario(w: World) -> None:
        left = 3000

        def link() -> Gen:
            nonlocal left
            w.after(1)
            yield
            left -= 1
            if left:
                w.fork(NOW, link)

        def parent() -> Gen:
            w.fork(NOW, link)
            yield

        w.process(parent)
        w.run()
        w.log.append((left, w.view.u32(cb.CB_PEAK_DYN), w.view.u32(cb.CB_N_DYN)))

    assert both(scenario).log == [(0, 2, 1024)]
