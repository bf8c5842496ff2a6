"""Slots of the time wheel: whatever is near and whatever is far, time goes in order and cancelled waits leave no slot behind."""

from __future__ import annotations

import random
from collections.abc import Generator

import pytest
from world import World, both, cb

Gen = Generator[int | None, None, None]


@pytest.mark.parametrize("seed", range(6))
def test_waits_at_many_times_end_in_the_order_of_time_and_of_asking(seed: int) -> None:
    expected: list[tuple[tuple[int, int, int], int]] = []
    far = False

    def scenario(w: World) -> None:
        nonlocal far
        r = random.Random(seed)
        asked = 0
        due: list[tuple[tuple[int, int, int], int, int]] = []
        ended: list[tuple[tuple[int, int, int], int]] = []

        def waiter(k: int) -> Gen:
            nonlocal asked, far
            for _ in range(20):
                fs, delta, eps = r.choice([(r.randrange(1, 400), 0, 0), (r.randrange(1, 8), r.randrange(3), r.randrange(3))])
                at = (w.now + fs, delta, eps)
                due.append((at, asked, k))
                asked += 1
                w.after(fs, delta, eps)
                far = far or w.view.u32(cb.CB_HEAP_N) > 0
                yield
                assert w.view.time == at
                ended.append((at, k))

        for k in range(40):
            w.process(lambda k=k: waiter(k))  # type: ignore[misc]
        assert w.run() == cb.REASON_NO_EVENTS
        assert ended == [(at, k) for at, _, k in sorted(due)]
        assert w.view.u32(cb.CB_NEAR) == w.view.u32(cb.CB_HEAP_N) == 0
        expected[:] = ended

    both(scenario)
    assert far and len(expected) == 800


@pytest.mark.parametrize("seed", range(4))
def test_a_cancelled_wait_advances_no_time_wherever_its_slot_lies(seed: int) -> None:
    def scenario(w: World) -> None:
        r = random.Random(seed)
        bell = w.net(4)
        times = r.sample(range(100, 1000), 40)

        def waiter(fs: int) -> Gen:
            w.after(fs)
            w.on(0)
            yield
            w.note(fs)

        for fs in times:
            w.process(lambda fs=fs: waiter(fs), {0: [bell]})  # type: ignore[misc]

        def ringer() -> Gen:
            w.after(50)
            yield
            w.store(bell, 1)  # everybody wakes now; nobody waits for a time any more
            w.after(5000)
            yield
            w.note("end")

        w.process(ringer)
        assert w.run() == cb.REASON_NO_EVENTS
        assert {t[0] for t, *_ in w.log} == {50, 5050}
        assert w.view.counters()["time_steps"] == 2

    w = both(scenario)
    assert len(w.log) == 41
