"""Gangs: regions that are evaluated together do what they do one by one."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.sched.world import World, both
from wasmjit.sched import control as cb
from wasmjit.sched.descriptors import ALL_OF_GANG

Gen = Generator[int | None, None, None]


def registers(w: World, ganged: bool, count: int = 3) -> list[int]:
    """A chain of registers behind one clock, each sampling the one before; the clock rises at 5, 15, ... A process watches the last."""
    clk, source = w.net(1), w.net(1)
    q = [w.net(1) for _ in range(count)]
    shadow = [0] * count
    samples, commits = list(range(count)), list(range(count, 2 * count))

    def sample(k: int) -> None:
        shadow[k] = w.get(source if k == 0 else q[k - 1])
        if w.get(clk) and shadow[k] != w.get(q[k]):
            w.call["k_commit"](commits[k])

    def commit(k: int) -> None:
        w.note("commit", k, w.view.u32(cb.CB_CUR_ID) & ~cb.REGION_DRIVER)
        w.assign(q[k], shadow[k])

    for k in range(count):
        w.region(lambda k=k: sample(k), [] if ganged else [clk], level=1)
    for k in range(count):
        w.region(lambda k=k: commit(k), [], level=0)
    if ganged:
        w.t.fanout.region(clk, w.t.regions.gang(samples, 1), 0, ALL_OF_GANG)
        w.t.regions.gang(commits, 0)

    def bench() -> Gen:
        for step in range(8):
            w.after(5)
            yield
            if step == 1:
                w.drive(source, 1)
            w.drive(clk, 1 - w.get(clk))

    def watcher() -> Gen:
        while True:
            w.note("last", w.get(q[-1]), w.view.last_driver(q[-1]) & ~cb.REGION_DRIVER)
            w.on(0)
            yield

    w.process(bench)
    w.process(watcher, {0: [q[-1]]})
    return samples + commits


def test_a_gang_evaluates_what_its_regions_would_in_the_same_order() -> None:
    logs = []
    for ganged in (False, True):

        def scenario(w: World, ganged: bool = ganged) -> None:
            rows = registers(w, ganged)
            w.run()
            w.note([w.view.evaluations(i) for i in rows], w.view.u64(cb.CB_C_REGIONS), w.view.u64(cb.CB_C_UPDATES), w.view.dirty_regions())

        logs.append(both(scenario).log)
    assert logs[0] == logs[1]
    committed = [(time[0], k, who) for time, what, k, who, *_ in (x for x in logs[0] if x[1] == "commit" and x[0][0])]
    assert committed == [(15, 0, 3), (25, 1, 4), (35, 2, 5)]


@pytest.mark.parametrize("region", [0, 4])
def test_the_host_can_have_one_region_of_a_gang_evaluated(region: int) -> None:
    def scenario(w: World) -> None:
        rows = registers(w, True)
        w.run(until=4)
        before = [w.view.evaluations(i) for i in rows]
        w.call["k_dirty_region"](region)
        w.run(until=4)
        w.note([w.view.evaluations(i) - n for i, n in zip(rows, before, strict=True)])

    assert both(scenario).log[-1][1] == [int(i == region) for i in range(6)]


def test_a_commit_that_is_asked_for_twice_is_scheduled_once() -> None:
    def scenario(w: World) -> None:
        registers(w, True)
        w.run(until=4)
        drives = w.view.u64(cb.CB_C_DRIVES)
        for region in (3, 5, 3):
            w.call["k_commit"](region)
        w.run(until=4)
        w.note(w.view.u64(cb.CB_C_DRIVES) - drives)

    log = both(scenario).log
    assert log[-1][1] == 1
    assert [x[2] for x in log if x[1] == "commit"][-2:] == [0, 2]
