"""Random numbers, random stability, randomize()."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from fake_runtime import FakeRuntime
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.runtime.moore import prng
from wasmjit.runtime.services import SimFault

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
CALLS = [
    ("random", 6, 1, "$random(s)", prng.dollar_random),
    ("uniform", 6, 7, "$dist_uniform(s,-5,100)", lambda s: prng.dist_uniform(s, -5, 100)),
    ("uniform2", 3, 7, "$dist_uniform(s,-5,2147483647)", lambda s: prng.dist_uniform(s, -5, 2147483647)),
    ("uniform3", 3, 7, "$dist_uniform(s,-2147483648,2147483647)", lambda s: prng.dist_uniform(s, -2147483648, 2147483647)),
    ("normal", 6, 7, "$dist_normal(s,10,50)", lambda s: prng.dist_normal(s, 10, 50)),
    ("exponential", 6, 7, "$dist_exponential(s,50)", lambda s: prng.dist_exponential(s, 50)),
    ("poisson", 6, 7, "$dist_poisson(s,20)", lambda s: prng.dist_poisson(s, 20)),
    ("chi", 6, 7, "$dist_chi_square(s,5)", lambda s: prng.dist_chi_square(s, 5)),
    ("t", 6, 7, "$dist_t(s,3)", lambda s: prng.dist_t(s, 3)),
    ("erlang", 6, 7, "$dist_erlang(s,3,40)", lambda s: prng.dist_erlang(s, 3, 40)),
]


def signed(v: int) -> int:
    return v - (1 << 32) if v >> 31 else v


def ours() -> list[str]:
    sequence = prng.RandomSequence()
    out = [str(signed(sequence.next())) for _ in range(4)]
    for name, count, seed, _, draw in CALLS:
        for _ in range(count):
            value, seed = draw(seed)
            out.append(f"{name} {value} {signed(seed)}")
    return out


def test_annex_n_functions_equal_what_icarus_recorded() -> None:
    recorded = (Path(__file__).parent / "icarus_random.txt").read_text().splitlines()
    assert ours() == recorded


def test_annex_n_functions_equal_icarus_where_it_is_installed(tmp_path: Path) -> None:
    expected = (Path(__file__).parent / "icarus_random.txt").read_text().splitlines()
    if shutil.which("iverilog"):
        lines = ["module t; integer s,i,v; initial begin", 'for(i=0;i<4;i=i+1) $display("%0d",$random);']
        lines += [f's={seed}; for(i=0;i<{n};i=i+1) begin v={call}; $display("{name} %0d %0d",v,s); end' for name, n, seed, call, _ in CALLS]
        (tmp_path / "r.v").write_text("\n".join([*lines, "end endmodule"]))
        subprocess.run(["iverilog", "-g2012", "-o", str(tmp_path / "r"), str(tmp_path / "r.v")], check=True, capture_output=True)
        expected = subprocess.run(["vvp", "-n", str(tmp_path / "r")], check=True, capture_output=True, text=True).stdout.splitlines()
    assert ours() == expected


def test_seeded_calls_print_what_circt_sims_tests_expect(rt: FakeRuntime) -> None:
    assert signed(rt.call("__moore_random_seeded", 305441741)) == 1823735769
    assert signed(rt.call("__moore_random_seeded", -323748822)) == 739840344
    assert rt.call("__moore_random_seeded", 0) == 303379748
    assert signed(rt.call("__moore_urandom_seeded", 305441741)) == -323769319
    assert rt.call("__moore_urandom_seeded", 0) == 144547288


def test_srandom_of_a_process_does_not_touch_dollar_random(rt: FakeRuntime) -> None:
    handle = rt.proc_id  # a handle is the id (layouts.PROCESS_HANDLE)
    rt.call("__moore_process_srandom", handle, 1)
    assert rt.call("__moore_random") == 303379748
    rt.call("__moore_process_srandom", handle, 1)
    assert signed(rt.call("__moore_random")) == -1064739199
    rt.call("__moore_process_srandom", handle, 1)
    first = rt.call("__moore_urandom")
    rt.call("__moore_process_srandom", handle, 1)
    assert rt.call("__moore_urandom") == first == 72793


def test_processes_have_generators_of_their_own(rt: FakeRuntime) -> None:
    rt.proc_id = 1
    one = [rt.call("__moore_urandom") for _ in range(3)]
    rt.proc_id = 2
    two = [rt.call("__moore_urandom") for _ in range(3)]
    assert one != two
    other = FakeRuntime()
    other.proc_id = 2
    assert [other.call("__moore_urandom") for _ in range(3)] == two, "stable whatever other processes draw"
    other = FakeRuntime()
    other.host.seed = 5
    other.proc_id = 2
    assert [other.call("__moore_urandom") for _ in range(3)] != two


def test_states_are_saved_and_restored(rt: FakeRuntime) -> None:
    handle = rt.proc_id  # a handle is the id (layouts.PROCESS_HANDLE)
    state = rt.call("__moore_process_get_randstate", handle)
    first = rt.call("__moore_urandom")
    rt.call("__moore_process_set_randstate", handle, *state)
    assert rt.call("__moore_urandom") == first
    obj = rt.data(bytes(24))
    rt.call("__moore_class_srandom", obj, 42)
    state = rt.call("__moore_class_get_randstate", obj)
    rt.call("__moore_randomize_basic", obj, 24)
    value = rt.read(obj, 24)
    rt.call("__moore_class_set_randstate", obj, *state)
    rt.call("__moore_randomize_basic", obj, 24)
    assert rt.read(obj, 24) == value
    with pytest.raises(SimFault):
        rt.call("__moore_class_set_randstate", obj, rt.data(b"nonsense"), 8)
    with pytest.raises(SimFault):
        rt.call("__moore_process_srandom", 1 << 40, 1)  # handles are process ids, as the kernel gives them out: small numbers


def test_urandom_range_takes_bounds_in_either_order(rt: FakeRuntime) -> None:
    seen = {rt.call("__moore_urandom_range", 20, 10) for _ in range(200)} | {rt.call("__moore_urandom_range", 10, 20) for _ in range(200)}
    assert seen == set(range(10, 21))
    assert rt.call("__moore_urandom_range", 8, 8) == 8
    assert rt.call("__moore_urandom_range", M32, 0) <= M32


def test_dist_functions_update_the_seed_in_memory(rt: FakeRuntime) -> None:
    seed = rt.net(4)
    rt.st(seed, 4, 7)
    rt.woken.clear()
    value, after = prng.dist_normal(7, 10, 50)
    assert signed(rt.call("__moore_dist_normal", seed, 10, 50)) == value
    assert rt.ld(seed, 4) == after and rt.woken == [0]
    with pytest.raises(SimFault):
        rt.call("__moore_dist_t", 0, 1)


@given(st.integers(1, 1 << 70))
def test_draws_stay_below_their_limit(n: int) -> None:
    rng = prng.ProcessRandom(3)
    assert all(0 <= rng.below(n) < n for _ in range(20))


def test_draws_are_even() -> None:
    rng = prng.ProcessRandom(1)
    counts = Counter(rng.below(6) for _ in range(6000))
    assert set(counts) == set(range(6)) and min(counts.values()) > 850


def test_randomize_basic_keeps_the_object_header(rt: FakeRuntime) -> None:
    obj = rt.data(b"H" * 16 + bytes(40))
    assert rt.call("__moore_randomize_basic", obj, 56) == 1
    assert rt.read(obj, 16) == b"H" * 16 and rt.read(obj + 16, 40) != bytes(40)
    assert rt.call("__moore_randomize_basic", 0, 56) == 0


def test_randomize_basic_keeps_pointers_at_the_start_of_large_objects(rt: FakeRuntime) -> None:
    target = rt.data(b"x")
    obj = rt.data(bytes(120) + target.to_bytes(8, "little") + bytes(8))
    rt.call("__moore_randomize_basic", obj, 136)
    assert rt.ld(obj + 120, 8) == target
    assert rt.read(obj + 16, 100) != bytes(100)


def test_randomize_bytes_covers_the_whole_block(rt: FakeRuntime) -> None:
    a, b = rt.data(bytes(5)), rt.data(bytes(5))
    rt.call("__moore_process_srandom", 0, 9)
    rt.call("__moore_randomize_bytes", a, 5)
    rt.call("__moore_process_srandom", 0, 9)
    rt.call("__moore_randomize_bytes", b, 5)
    assert rt.read(a, 5) == rt.read(b, 5) != bytes(5)


def test_ranges_hold_for_signed_and_unsigned_bounds(rt: FakeRuntime) -> None:
    assert {rt.call("__moore_randomize_with_range", -2, 1) for _ in range(100)} == {M64 - 1, M64, 0, 1}
    assert {rt.call("__moore_randomize_with_range", 5, 5) for _ in range(5)} == {5}
    assert all(v <= 0x8000_0000_0000_0001 for v in (rt.call("__moore_randomize_with_range", 1, 0x8000_0000_0000_0001) for _ in range(20)))
    pairs = rt.data(struct.pack("<6q", 1, 2, 9, 8, -4, -3))
    assert {rt.call("__moore_randomize_with_ranges", pairs, 3) for _ in range(200)} == {1, 2, M64 - 3, M64 - 2}
    assert rt.call("__moore_randomize_with_ranges", pairs, 0) == 0
    assert {rt.call("__moore_randomize_with_modulo", 7, 3) % 7 for _ in range(20)} == {3}


def test_dist_weights_values_or_whole_ranges(rt: FakeRuntime) -> None:
    ranges, weights, per = (
        rt.data(struct.pack("<4q", 0, 9, 100, 100)),
        rt.data(struct.pack("<2q", 1, 10)),
        rt.data(struct.pack("<2q", 1, 0)),
    )

    def draws(*rest: int) -> Counter[int]:
        return Counter(rt.call("__moore_randomize_with_dist", ranges, weights, per, 2, *rest) for _ in range(2200))

    counts = draws(0, 32, 0, 0, 0)
    assert set(counts) == {*range(10), 100}
    assert 1850 < counts[100] < 2150, ":/ spreads one weight over the range"
    assert set(draws(0, 2, 0, 0, 0)) == {0, 1, 2, 3}, "only what two bits can hold"
    assert set(draws(0, 32, 1, 5, 6)) == {5, 6}
    assert rt.call("__moore_randomize_with_dist", ranges, weights, per, 2, 0, 32, 1, 50, 60) == 0
    with pytest.raises(SimFault):
        rt.call("__moore_randomize_with_dist", ranges, weights, per, 1 << 40, 0, 32, 0, 0, 0)


def test_unique_arrays_and_randc_do_not_repeat(rt: FakeRuntime) -> None:
    data = rt.data(bytes(40))
    assert rt.call("__moore_randomize_unique_array", data, 10, 4, 1, 10) == 1
    assert sorted(struct.unpack("<10i", rt.read(data, 40))) == list(range(1, 11))
    assert rt.call("__moore_randomize_unique_array", data, 10, 4, 1, 9) == 0
    for _ in range(3):
        assert {rt.call("__moore_randc_next", data, 4) for _ in range(16)} == set(range(16))
    assert rt.call("__moore_randc_next", data, 40) < 1 << 40


def test_rand_and_constraint_modes(rt: FakeRuntime) -> None:
    x, y = rt.data(b"x\0"), rt.data(b"y\0")
    obj, other = rt.data(b"o"), rt.data(b"p")
    for get, set_, ask in (
        ("rand_mode_get", "rand_mode_set", "is_rand_enabled"),
        ("constraint_mode_get", "constraint_mode_set", "is_constraint_enabled"),
    ):
        assert rt.call(f"__moore_{get}", obj, x) == 1
        assert rt.call(f"__moore_{set_}", obj, x, 0) == 1
        assert [rt.call(f"__moore_{ask}", o, n) for o in (obj, other) for n in (x, y)] == [0, 1, 1, 1]
        rt.call(f"__moore_{set_}", obj, x, 1)
        assert rt.call(f"__moore_{ask}", obj, x) == 1
        rt.call(f"__moore_{set_}", obj, 0, 0)
        assert rt.call(f"__moore_{ask}", obj, y) == 0
        rt.call(f"__moore_{set_}", obj, y, 1)
        assert [rt.call(f"__moore_{ask}", obj, n) for n in (x, y)] == [0, 1]
        rt.call(f"__moore_{set_}", obj, 0, 1)
        assert [rt.call(f"__moore_{ask}", obj, n) for n in (x, y)] == [1, 1]
