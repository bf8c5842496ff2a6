"""Scheduling scenarios, each on the CPython kernel and on the wasm kernel with identical memory afterwards."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from world import NEVER, World, both, cb

from wasmjit.sched.descriptors import P_BODY

Gen = Generator[int | None, None, None]


def clock(w: World, net: int, half: int = 5) -> None:
    def body() -> Gen:
        while True:
            w.drive(net, 1 - w.get(net))
            w.after(half)
            yield

    w.process(body)


def test_clock_drives_a_chain_of_registers_one_stage_per_edge() -> None:
    def scenario(w: World) -> None:
        clk, a, b, c = w.net(1), w.net(4), w.net(4), w.net(4)
        clock(w, clk)

        def stage(src: int, dst: int, add: int) -> None:
            def body() -> Gen:
                while True:
                    w.on(0)
                    yield
                    if w.get(clk):
                        w.drive(dst, w.get(src) + add)

            w.process(body, {0: [clk]})

        stage(a, a, 1)
        stage(a, b, 0)
        stage(b, c, 0)
        assert w.run(until=59) == cb.REASON_UNTIL
        w.note(w.get(a), w.get(b), w.get(c))

    w = both(scenario)
    assert w.log == [((55, 0, 1), 6, 5, 4)]


def test_nonblocking_swap_exchanges_and_blocking_store_is_seen_at_once() -> None:
    def scenario(w: World) -> None:
        a, b, c = w.net(1), w.net(1), w.net(1)

        def init() -> Gen:
            w.store(a, 7)
            w.drive(a, w.get(b), delta=1, eps=0)
            w.drive(b, w.get(a), delta=1, eps=0)
            w.store(c, 3)
            w.note("c", w.get(c))
            w.after(1)
            yield
            w.note(w.get(a), w.get(b))

        w.process(init)
        assert w.run() == cb.REASON_NO_EVENTS

    w = both(scenario)
    assert w.log == [((0, 0, 0), "c", 3), ((1, 0, 0), 0, 7)]


def test_epsilons_come_before_the_next_delta_and_deltas_before_time() -> None:
    def scenario(w: World) -> None:
        def at(tag: str, fs: int, delta: int, eps: int) -> None:
            def body() -> Gen:
                w.after(fs, delta, eps)
                yield
                w.note(tag)

            w.process(body)

        at("time", 1, 0, 0)
        at("time+d", 1, 1, 0)
        at("delta2", 0, 2, 0)
        at("delta", 0, 1, 0)
        at("delta+e", 0, 1, 3)
        at("eps3", 0, 0, 3)
        at("eps", 0, 0, 1)
        at("zero", 0, 0, 0)
        assert w.run() == cb.REASON_NO_EVENTS

    w = both(scenario)
    assert w.log == [
        ((0, 0, 1), "eps"),
        ((0, 0, 1), "zero"),
        ((0, 0, 3), "eps3"),
        ((0, 1, 0), "delta"),
        ((0, 1, 3), "delta+e"),
        ((0, 2, 0), "delta2"),
        ((1, 0, 0), "time"),
        ((1, 1, 0), "time+d"),
    ]


def test_a_slot_scheduled_from_afar_merges_with_the_fast_ones_in_order_of_scheduling() -> None:
    def scenario(w: World) -> None:
        n = w.net(4)

        def early() -> Gen:
            w.drive(n, 1, fs=10, delta=0, eps=1)
            w.after(10)
            yield
            w.drive(n, 2)  # the same slot (10, 0, 1), later: it wins
            w.on(0)
            yield
            w.note(w.get(n))

        w.process(early, {0: [n]})
        w.run()

    assert both(scenario).log == [((10, 0, 1), 2)]


def test_last_write_wins_without_a_glitch() -> None:
    def scenario(w: World) -> None:
        n, m, wide = w.net(1), w.net(4), w.net(24)

        def listener(net: int) -> None:
            def body() -> Gen:
                while True:
                    w.on(0)
                    yield
                    w.note(net, w.get(net))

            w.process(body, {0: [net]})

        for net in (n, m, wide):
            listener(net)

        def driver() -> Gen:
            for net in (n, m, wide):
                w.drive(net, 1)
            w.after(1)
            yield
            for net in (n, m, wide):  # back to the old value within the slot: no change
                w.drive(net, 0)
                w.drive(net, 1)
            w.bits(m, 4, 8, 0x55)
            w.bits(m, 4, 8, 0)
            w.call["k_drive"](wide, w.addr(wide) + 8, 8, 9, 0, 0, 1)
            w.call["k_drive"](wide, w.addr(wide) + 8, 8, 0, 0, 0, 1)
            w.after(1)
            yield
            for net in (n, m, wide):
                w.drive(net, 3)
                w.drive(net, 2)

        w.process(driver)
        w.run()

    w = both(scenario)
    assert [x[1:] for x in w.log] == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2)]
    assert [x[0] for x in w.log] == [(0, 0, 1)] * 3 + [(2, 0, 1)] * 3


def test_bit_drives_touch_their_bits_only() -> None:
    def scenario(w: World) -> None:
        a, b = w.net(8), w.net(16)

        def body() -> Gen:
            w.store(a, 0xFFFF_FFFF_FFFF_FFFF)
            w.bits(a, 3, 5, 0)
            w.bits(a, 60, 4, 0b1010)
            w.bits(b, 5, 64, 0xFFFF_FFFF_FFFF_FFFF)
            w.bits(b, 100, 20, 0x12345)
            w.after(1)
            yield
            w.note(hex(w.get(a)), hex(w.get(b)))

        w.process(body)
        w.run()

    low = ((1 << 64) - 1) << 5 | 0x12345 << 100
    assert both(scenario).log == [((1, 0, 0), "0xafffffffffffff07", hex(low))]


def test_a_change_cancels_the_time_out_and_an_unused_time_out_does_not_advance_time() -> None:
    def scenario(w: World) -> None:
        n = w.net(1)

        def waiter() -> Gen:
            for _ in range(3):
                w.on(0)
                w.after(1000)
                yield
                w.note("woken", w.get(n))

        def driver() -> Gen:
            for i in range(3):
                w.drive(n, 1 - w.get(n))
                w.after(7 + i)
                yield

        w.process(waiter, {0: [n]})
        w.process(driver)
        assert w.run() == cb.REASON_NO_EVENTS
        w.note("end")

    w = both(scenario)
    assert [x[0][0] for x in w.log] == [0, 7, 15, 24]


def test_a_time_out_ends_the_wait_for_a_change() -> None:
    def scenario(w: World) -> None:
        n = w.net(1)

        def waiter() -> Gen:
            w.on(0)
            w.after(10)
            yield
            w.note("time-out")
            w.after(100)
            yield
            w.note("slept through")

        def driver() -> Gen:
            w.after(20)
            yield
            w.drive(n, 1)

        w.process(waiter, {0: [n]})
        w.process(driver)
        w.run()

    assert both(scenario).log == [((10, 0, 0), "time-out"), ((110, 0, 0), "slept through")]


def test_only_the_current_sensitivity_set_wakes() -> None:
    def scenario(w: World) -> None:
        a, b = w.net(1), w.net(1)

        def waiter() -> Gen:
            w.on(1)
            yield
            w.note("b")
            w.on(0)
            yield
            w.note("a")

        def driver() -> Gen:
            for net, t in ((a, 1), (b, 1), (b, 1), (a, 1)):
                w.after(t)
                yield
                w.drive(net, 1 - w.get(net))

        w.process(waiter, {0: [a], 1: [b]})
        w.process(driver)
        w.run()

    assert both(scenario).log == [((2, 0, 1), "b"), ((4, 0, 1), "a")]


def test_regions_settle_by_level_once_the_processes_that_were_ready_together_have_run() -> None:
    def scenario(w: World) -> None:
        a, x, y, z = w.net(1), w.net(1), w.net(1), w.net(1)
        order: list[str] = []

        def top() -> None:
            order.append("top")
            w.assign(z, w.get(x) ^ w.get(y))

        def left() -> None:
            order.append("left")
            w.assign(x, w.get(a) + 1)

        def right() -> None:
            order.append("right")
            w.assign(y, w.get(a) * 2)

        w.region(top, [x, y], level=1)
        w.region(left, [a], level=0)
        w.region(right, [a], level=0)

        def writer() -> Gen:
            w.log.append(tuple(order))
            order.clear()
            w.note(w.get(z))
            w.store(a, 5)
            w.on(0)
            yield
            w.note("own", w.get(z))

        def reader() -> Gen:
            w.note("same batch", w.get(z), tuple(order))
            yield

        w.process(writer, {0: [z]})
        w.process(reader)
        w.run()

    w = both(scenario)
    z1, z2 = 1 ^ 0, 6 ^ 10
    assert w.log == [("left", "right", "top"), ((0, 0, 0), z1), ((0, 0, 0), "same batch", z1, ()), ((0, 0, 0), "own", z2)]


def test_a_combinational_loop_ends_at_the_limit_and_names_a_region() -> None:
    def scenario(w: World) -> None:
        a, b = w.net(1), w.net(1)
        w.region(lambda: w.assign(b, 1 - w.get(a)), [a], level=0)
        w.region(lambda: w.assign(a, w.get(b)), [b], level=1)
        assert w.run(max_deltas=20) == cb.REASON_LIMIT
        w.note(w.view.u32(cb.CB_LIMIT), w.view.u32(cb.CB_LIMIT_ID) in (0, 1), bool(w.view.dirty_regions()))

    assert both(scenario).log == [((0, 0, 0), cb.LIMIT_LOOP, True, True)]


def test_an_oscillator_ends_at_max_deltas_with_its_drivers_named() -> None:
    def scenario(w: World) -> None:
        n = w.net(1)

        def body() -> Gen:
            while True:
                w.drive(n, 1 - w.get(n))
                w.on(0)
                yield

        w.process(body, {0: [n]})
        assert w.run(max_deltas=100) == cb.REASON_LIMIT
        w.note(w.view.u32(cb.CB_LIMIT), w.view.pending_drivers())

    assert both(scenario).log == [((0, 0, 101), cb.LIMIT_DELTAS, [0])]


def test_processes_that_wake_each_other_in_one_slot_end_at_the_limit() -> None:
    def scenario(w: World) -> None:
        a, b = w.net(1), w.net(1)

        def player(mine: int, other: int) -> None:
            def body() -> Gen:
                while True:
                    w.on(0)
                    yield
                    w.store(other, 1 - w.get(other))

            w.process(body, {0: [mine]})

        player(a, b)
        player(b, a)

        def serve() -> Gen:
            w.store(a, 1)
            yield

        w.process(serve)
        assert w.run(max_deltas=50) == cb.REASON_LIMIT
        w.note(w.view.u32(cb.CB_LIMIT))

    assert both(scenario).log[0][1] == cb.LIMIT_ROUNDS


@pytest.mark.parametrize(("edge", "times"), [(0, [1, 2, 3, 4]), (1, [1, 3]), (2, [2, 4])])
def test_dynamic_waits_on_a_net_by_edge(edge: int, times: list[int]) -> None:
    def scenario(w: World) -> None:
        n = w.net(1)

        def waiter() -> Gen:
            while True:
                w.watch(n, edge)
                yield
                w.log.append(w.now)

        def driver() -> Gen:
            for _ in range(4):
                w.after(1)
                yield
                w.drive(n, 1 - w.get(n))

        w.process(waiter)
        w.process(driver)
        w.run()

    assert both(scenario).log == times


def test_a_dynamic_wait_on_a_field_ignores_other_fields_and_wide_values_are_compared_whole() -> None:
    def scenario(w: World) -> None:
        n, wide = w.net(8), w.net(40)

        def waiter() -> Gen:
            w.call["k_wait_dyn"](w.pid, n, w.addr(n) + 4, 4, 0)
            yield
            w.note("field")
            w.watch(wide)
            yield
            w.note("wide")

        def driver() -> Gen:
            for low, high in ((1, 0), (2, 0), (2, 1)):
                w.after(1)
                yield
                w.drive(n, high << 32 | low)
            w.after(1)
            yield
            w.drive(wide, 1 << 300)

        w.process(waiter)
        w.process(driver)
        w.run()

    assert both(scenario).log == [((3, 0, 1), "field"), ((4, 0, 1), "wide")]


def test_waits_on_several_nets_leave_nothing_behind() -> None:
    def scenario(w: World) -> None:
        a, b = w.net(1), w.net(1)

        def waiter() -> Gen:
            for _ in range(200):
                w.watch(a)
                w.watch(b)
                w.watch(a, 1)
                yield

        def driver() -> Gen:
            while w.now < 199:
                w.drive(a, 1 - w.get(a))
                w.after(1)
                yield

        w.process(waiter)
        w.process(driver)
        w.run(until=20)
        w.log.append(w.view.u64(cb.CB_HEAP_USED))
        w.run()
        w.log.append(w.view.u64(cb.CB_HEAP_USED))

    first, last = both(scenario).log
    assert first == last


def test_events_at_addresses_and_waits_on_plain_memory() -> None:
    def scenario(w: World) -> None:
        def waiter() -> Gen:
            w.watch_mem(w.scratch + 64, edge=3)
            yield
            w.note("event")
            w.watch_mem(w.scratch + 128)
            yield
            w.note("memory")

        def other() -> Gen:
            w.watch_mem(w.scratch + 72, edge=3)
            yield
            w.note("never")

        def trigger() -> Gen:
            w.after(3)
            yield
            w.call["k_mem_event"](w.scratch + 64)
            w.after(3)
            yield
            w.put(w.scratch + 128, 5, 4)

        w.process(waiter)
        w.process(other)
        w.process(trigger)
        w.run()

    assert both(scenario).log == [((3, 0, 0), "event"), ((6, 0, 0), "memory")]


def test_waiters_wake_in_the_order_they_came() -> None:
    def scenario(w: World) -> None:
        n = w.net(1)

        def waiter(tag: int) -> None:
            def body() -> Gen:
                w.after(tag)
                yield
                w.watch(n)
                yield
                w.log.append(tag)

            w.process(body)

        for tag in (3, 1, 2):
            waiter(tag)

        def driver() -> Gen:
            w.after(10)
            yield
            w.drive(n, 1)

        w.process(driver)
        w.run()

    assert both(scenario).log == [1, 2, 3]


def test_run_stops_at_until_budget_and_stop_word_and_goes_on_where_it_was() -> None:
    def scenario(w: World) -> None:
        n = w.net(4)

        def body() -> Gen:
            for i in range(10):
                w.drive(n, i + 1)
                if i == 7:
                    w.view.set_u32(cb.CB_STOP, cb.STOP_HOST)
                w.after(10)
                yield

        w.process(body)
        w.log.append((w.run(until=35), w.get(n)))
        w.log.append((w.run(budget=2), w.get(n)))
        w.log.append((w.run(), w.get(n)))
        w.view.set_u32(cb.CB_STOP, 0)
        w.log.append((w.run(), w.get(n), w.now))

    assert both(scenario).log == [
        (cb.REASON_UNTIL, 4),
        (cb.REASON_BUDGET, 6),
        (cb.REASON_STOP, 7),
        (cb.REASON_NO_EVENTS, 10, 100),
    ]


def test_budget_in_the_middle_of_a_slot_keeps_the_order() -> None:
    def scenario(w: World) -> None:
        def sleeper(i: int) -> None:
            def body() -> Gen:
                w.log.append(i)
                w.after(1)
                yield
                w.log.append(i)

            w.process(body)

        for i in range(10):
            sleeper(i)
        reasons = []
        while True:
            reasons.append(w.run(budget=3))
            if reasons[-1] != cb.REASON_BUDGET:
                break
        w.log.append(len(reasons))

    # A batch that has begun is finished, whatever the budget: what its processes see does not depend on it.
    assert both(scenario).log == [*range(10), *range(10), 2]


def test_finish_lets_the_slot_finish() -> None:
    def scenario(w: World) -> None:
        n = w.net(1, traced=True)

        def first() -> Gen:
            w.after(4)
            yield
            w.view.set_u32(cb.CB_FINISH, 1)
            w.store(n, 1)
            w.drive(n, 0)
            yield

        def second() -> Gen:
            w.after(4)
            yield
            w.log.append("same slot")
            w.after(0, 1)
            yield
            w.log.append("next delta")

        def last() -> Gen:
            w.log.append(("final", w.now))
            yield 1

        w.process(first)
        w.process(second)
        w.process(last, final=True)
        assert w.run() == cb.REASON_FINISHED
        w.log.append(w.now)
        assert w.call["k_final"](1000) == 0

    w = both(scenario)
    assert w.log == ["same slot", 4, ("final", 4)]
    assert w.samples == [(0, 4, 1)]


def test_traced_nets_give_one_sample_per_time_step_through_a_small_ring() -> None:
    def scenario(w: World) -> None:
        a, b, c = w.net(1, traced=True), w.net(20, traced=True), w.net(4)

        def body() -> Gen:
            for i in range(1, 6):
                w.drive(a, i)
                w.drive(b, i << 100)
                w.drive(c, i)
                w.after(0, 1)
                yield
                w.drive(a, i + 100)
                w.after(5)
                yield

        w.process(body)
        w.run(ring=48)

    w = both(scenario)
    assert w.samples == [s for i in range(5) for s in ((0, 5 * i, i + 101), (1, 5 * i, i + 1 << 100))]


def test_a_sample_names_who_changed_the_net_last_in_its_step() -> None:
    def scenario(w: World) -> None:
        shared, own = w.net(4, traced=True), w.net(4, traced=True)

        def talker(first: int, value: int) -> Callable[[], Gen]:
            def body() -> Gen:
                w.after(first)
                yield
                for i in range(3):
                    w.drive(shared, value + i)
                    w.after(10)
                    yield

            return body

        def third() -> Gen:
            w.drive(own, 1)
            w.after(5)
            yield
            w.drive(own, 2)
            w.drive(shared, 99)
            w.after(100)
            yield

        for body in (talker(1, 10), talker(5, 20), third):
            w.process(body)
        w.run()
        w.log.append([(net, fs, who) for (net, fs, _), who in zip(w.samples, w.sample_drivers, strict=True)])

    (found,) = both(scenario).log
    # At 5 the second and the third process drive the net; the third comes last.
    assert [(fs, who) for net, fs, who in found if net == 0 and fs] == [(1, 0), (5, 2), (11, 0), (15, 1), (21, 0), (25, 1)]
    assert [(fs, who) for net, fs, who in found if net == 1] == [(0, 2), (5, 2)]


def test_drives_of_ended_processes_keep_their_name_when_the_id_is_used_again() -> None:
    def scenario(w: World) -> None:
        n = w.net(4, traced=True)
        ids: list[int] = []

        def one(value: int, fs: int) -> Callable[[], Gen]:
            def body() -> Gen:
                w.drive(n, value, fs)
                return
                yield

            return body

        def parent() -> Gen:
            # Three drives are pending when their process has ended: the next epsilon, the next delta, 7 fs later. Each time the id goes to the next process.
            for number, (value, fs) in enumerate(((1, 0), (2, 7), (3, 9), (4, 0))):
                ids.append(w.spawn(one(value, fs)))
                w.view.set_u32(w.view.proc_addr(ids[-1]) + P_BODY, 100 + number)
                w.after(0, 1)
                yield

        w.process(parent)
        w.build()
        w.view.set_u32(cb.CB_DRIVERS, 1)
        w.run()
        w.log.append(ids)
        w.log.append([(fs, value, who) for (_, fs, value), who in zip(w.samples, w.sample_drivers, strict=True)])

    ids, found = both(scenario).log
    assert len(set(ids)) == 1
    assert found == [(0, 4, cb.DYNAMIC_DRIVER | 103), (7, 2, cb.DYNAMIC_DRIVER | 101), (9, 3, cb.DYNAMIC_DRIVER | 102)]


def test_a_full_ring_that_nobody_drains_ends_the_slice_and_no_sample_is_lost() -> None:
    def scenario(w: World) -> None:
        nets = [w.net(8, traced=True) for _ in range(5)]

        def body() -> Gen:
            for i in range(4):
                for n in nets:
                    w.drive(n, i + 1)
                w.after(1)
                yield

        w.process(body)
        w.on_drain = False
        w.build(ring=56)
        reasons = []
        while True:
            reasons.append(w.run())
            w.on_drain = True
            w._drain()
            w.on_drain = False
            if reasons[-1] == cb.REASON_NO_EVENTS:
                break
        w.log.append(reasons.count(cb.REASON_RING))

    w = both(scenario)
    assert [s[0] for s in w.samples] == [0, 1, 2, 3, 4] * 4
    assert w.log[0] > 5


def test_host_phases_come_in_order_and_once() -> None:
    def scenario(w: World) -> None:
        n = w.net(1, traced=True)

        def body() -> Gen:
            w.drive(n, 1)
            w.after(10)
            yield

        w.process(body)
        w.build()
        w.call["k_host_at"](4)
        w.view.set_u32(cb.CB_HOST_WANT, cb.HOST_READ_WRITE | cb.HOST_READ_ONLY | cb.HOST_NEXT_TIME)
        extra = True
        while (reason := w.run()) == cb.REASON_HOST:
            phase = w.view.u32(cb.CB_HOST_PHASE)
            w.log.append((phase, w.now, len(w.samples)))
            if phase == cb.HOST_READ_WRITE and extra:
                extra = False
                w.store(n, 0)
                w.view.set_u32(cb.CB_HOST_WANT, w.view.u32(cb.CB_HOST_WANT) | cb.HOST_READ_WRITE)
        w.log.append(reason)

    w = both(scenario)
    rw, ro, nt, at = cb.HOST_READ_WRITE, cb.HOST_READ_ONLY, cb.HOST_NEXT_TIME, cb.HOST_AT
    assert w.log == [(rw, 0, 0), (rw, 0, 0), (ro, 0, 1), (nt, 4, 1), (at, 4, 1), cb.REASON_NO_EVENTS]


def test_watched_nets_call_the_host() -> None:
    def scenario(w: World) -> None:
        n, m = w.net(4), w.net(4)

        def body() -> Gen:
            for i in (1, 1, 2):
                w.drive(n, i)
                w.drive(m, i)
                w.after(1)
                yield
            w.call["k_watch_net"](n, 0)
            w.drive(n, 9)

        w.process(body)
        w.build()
        w.call["k_watch_net"](n, 1)
        w.run()

    assert both(scenario).log == [("watch", 0), ("watch", 0)]


def test_force_hides_drives_and_release_brings_back_or_keeps() -> None:
    def scenario(w: World) -> None:
        n = w.net(4)

        def listener() -> Gen:
            while True:
                w.on(0)
                yield
                w.note(w.get(n))

        def body() -> Gen:
            w.drive(n, 1)
            w.after(1)
            yield
            w.call["k_force"](n, w.addr(n), 4, 77)
            w.drive(n, 2)
            w.after(1)
            yield
            w.store(n, 3)
            w.after(1)
            yield
            w.call["k_release"](n, w.addr(n), 4, 1)  # a net: the driven value comes back
            w.after(1)
            yield
            w.call["k_force_bits"](n, w.addr(n), 4, 4, 0xF)
            w.drive(n, 0)
            w.after(1)
            yield
            w.call["k_release_bits"](n, w.addr(n), 4, 4, 0)  # a variable: the value stays
            w.after(1)
            yield
            w.bits(n, 0, 4, 5)
            w.after(1)
            yield
            w.log.append(w.view.u32(cb.CB_FORCES))

        w.process(listener, {0: [n]})
        w.process(body)
        w.run()

    w = both(scenario)
    assert [x[1] for x in w.log[:-1]] == [1, 77, 3, 0xF3, 0xF0, 0xF5]
    assert w.log[-1] == 0


def test_a_forced_wire_keeps_its_value_while_its_region_runs() -> None:
    def scenario(w: World) -> None:
        a, x = w.net(1), w.net(1)
        w.region(lambda: w.assign(x, w.get(a) ^ 1), [a])

        def body() -> Gen:
            w.call["k_force"](x, w.addr(x), 1, 9)
            w.log.append(w.get(x))
            w.drive(a, 5)
            w.after(1)
            yield
            w.log.append(w.get(x))
            w.call["k_release"](x, w.addr(x), 1, 1)
            w.log.append(w.get(x))

        w.process(body)
        w.run()

    assert both(scenario).log == [9, 9, 4]


def test_a_fault_status_and_k_fault_end_the_run_with_details() -> None:
    def scenario(w: World) -> None:
        def bad() -> Gen:
            w.after(5)
            yield
            w.call["k_fault"](42, 0xDEAD)
            yield 3

        w.process(bad)
        assert w.run() == cb.REASON_FAULT
        f = w.view.fault()
        assert f is not None
        w.log.append((f.site, f.addr, f.driver, w.now))

    assert both(scenario).log == [(42, 0xDEAD, 0, 5)]


def test_deopt_status_asks_the_host_and_takes_its_status() -> None:
    def scenario(w: World) -> None:
        def body() -> Gen:
            yield 2
            raise AssertionError("must not be activated again")

        def deopt(proc: int) -> int:
            w.log.append(("deopt", proc))
            return 1

        w.on_deopt = deopt
        w.process(body)
        assert w.run() == cb.REASON_NO_EVENTS
        w.log.append(w.view.counters()["deopts"])

    assert both(scenario).log == [("deopt", 0), 1]


def test_the_step_limit_ends_the_run() -> None:
    def scenario(w: World) -> None:
        def body() -> Gen:
            while True:
                w.after(1)
                yield

        w.process(body)
        assert w.run(max_steps=10) == cb.REASON_LIMIT
        w.log.append((w.view.u32(cb.CB_LIMIT), w.view.scheduler_report()["processes_executed"]))

    assert both(scenario).log == [(cb.LIMIT_STEPS, 10)]


def test_counters_of_a_known_run() -> None:
    def scenario(w: World) -> None:
        clk, q = w.net(1), w.net(4)
        clock(w, clk)

        def reg() -> Gen:
            while True:
                w.on(0)
                yield
                if w.get(clk):
                    w.drive(q, w.get(q) + 1)

        w.process(reg, {0: [clk]})
        w.run(until=18)
        w.log.append(w.view.scheduler_report())
        w.log.append((w.view.last_driver(q), w.view.activations(0), w.view.activations(1), w.view.next_fs))

    report, rest = both(scenario).log
    assert report == {
        "processes_registered": 2,
        "processes_executed": 4 + 5,
        "delta_cycles_executed": 3 + 4 + 2,
        "signal_updates": 4 + 2,
        "edges_detected": 4,
        "max_delta_cycles_reached": 3,
    }
    assert rest == (1, 4, 5, 20)


def test_time_beyond_the_last_representable_femtosecond_never_comes() -> None:
    def scenario(w: World) -> None:
        def body() -> Gen:
            w.after(5)
            yield
            w.after((1 << 64) - 3)
            yield
            w.note("unreachable")

        w.process(body)
        assert w.run(until=(1 << 64) - 1) == cb.REASON_NO_EVENTS
        w.note("end")

    assert both(scenario).log == [((5, 0, 0), "end")]


def test_many_distinct_times_are_served_in_order() -> None:
    def scenario(w: World) -> None:
        times = [(i * 7919) % 1009 + 1 for i in range(1009)]

        def sleeper(t: int) -> None:
            def body() -> Gen:
                w.after(t)
                yield
                w.log.append(w.now)

            w.process(body)

        for t in times:
            sleeper(t)
        w.run(until=NEVER)

    assert both(scenario).log == list(range(1, 1010))
