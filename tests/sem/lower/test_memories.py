"""firmem, hlmem and fifo in runs, cycle by cycle against small models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from wasmjit.ir import parse_text
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation
from wasmjit.sem.lower.core import Unsupported

CYCLES = 40
HEADER = """
hw.module @top() {
  %zero = llhd.constant_time <0ns, 0d, 1e>
  %half = llhd.constant_time <5ns, 0d, 0e>
  %true = hw.constant true
  %false = hw.constant false
  %one = hw.constant 1 : i16
  %clk_s = llhd.sig %false : i1
  llhd.process {
    cf.br ^bb1
  ^bb1:
    llhd.wait delay %half, ^bb2
  ^bb2:
    %v = llhd.prb %clk_s : i1
    %n = comb.xor %v, %true : i1
    llhd.drv %clk_s, %n after %zero : i1
    cf.br ^bb1
  }
  %clkv = llhd.prb %clk_s : i1
  %clk = seq.to_clock %clkv
  %init = seq.initial() {
    %x = hw.constant 44257 : i16
    seq.yield %x : i16
  } : () -> !seq.immutable<i16>
  %rnd = seq.compreg %next, %clk initial %init : i16
  %b0 = comb.extract %rnd from 0 : (i16) -> i1
  %b2 = comb.extract %rnd from 2 : (i16) -> i1
  %b3 = comb.extract %rnd from 3 : (i16) -> i1
  %b5 = comb.extract %rnd from 5 : (i16) -> i1
  %fb = comb.xor %b0, %b2, %b3, %b5 : i1
  %hi = comb.extract %rnd from 1 : (i16) -> i15
  %next = comb.concat %fb, %hi : i1, i15
  %a = comb.extract %rnd from 3 : (i16) -> i2
  %w = comb.extract %rnd from 7 : (i16) -> i2
  %d = comb.extract %rnd from 1 : (i16) -> i8
  %e = comb.extract %rnd from 10 : (i16) -> i1
  %f = comb.extract %rnd from 12 : (i16) -> i1
  %m = comb.extract %rnd from 13 : (i16) -> i2
"""


def printed(body: str, values: list[tuple[str, int]], mode: str = "interpret") -> list[tuple[int, ...]]:
    """Values before each clock edge."""
    text = HEADER + body + '  %sp = sim.fmt.literal " "\n  %nl = sim.fmt.literal "\\n"\n'
    parts = []
    for i, (name, width) in enumerate(values):
        text += f"  %fmt{i} = sim.fmt.dec {name} specifierWidth 0 : i{width}\n"
        parts += [f"%fmt{i}", "%sp"]
    text += f"  %line = sim.fmt.concat ({', '.join([*parts, '%nl'])})\n  sim.print %line on %clk if %true\n  hw.output\n}}\n"
    out: list[bytes] = []
    sim = Simulation(
        parse_text(text), RunOptions(mode=mode, tops=["top"], max_time=10_000_000 * CYCLES), stdout=out.append, stderr=lambda _: None
    )
    sim.run()
    return [tuple(int(x) for x in line.split()) for line in b"".join(out).decode().splitlines()]


def inputs() -> Iterator[tuple[int, int, int, int, int, int]]:
    """(a, w, d, e, f, m) of each cycle."""
    rnd = 44257
    for _ in range(CYCLES):
        yield rnd >> 3 & 3, rnd >> 7 & 3, rnd >> 1 & 255, rnd >> 10 & 1, rnd >> 12 & 1, rnd >> 13 & 3
        rnd = (rnd >> 1) | ((rnd ^ rnd >> 2 ^ rnd >> 3 ^ rnd >> 5) & 1) << 15


def firmem(latency: int, ruw: str, write_latency: int) -> tuple[str, Callable[[], list[int]]]:
    body = f"""
  %mem = seq.firmem {latency}, {write_latency}, {ruw}, port_order : <4 x 8, mask 2>
  %r = seq.firmem.read_port %mem[%a], clock %clk enable %e : <4 x 8, mask 2>
  seq.firmem.write_port %mem[%w] = %d, clock %clk enable %f mask %m : <4 x 8, mask 2>
"""

    def model() -> list[int]:
        mem = [0] * 4
        addresses = [(0, 0)] * (latency + 1)
        writes = [(0, 0, 0, 0)] * write_latency
        data = 0
        out = []
        for a, w, d, e, f, m in inputs():
            if latency == 0:
                shown = mem[a] if e else 0
            elif ruw == "new":
                at, en = addresses[0]
                shown = mem[at] if en else 0
            else:
                shown = data
            out.append(shown)
            addresses = [*addresses[1:], (a, e)]
            if latency:
                addresses = addresses[-latency:]
                at, en = addresses[0]
                data = mem[at] if en else 0
            writes = [*writes[1:], (w, d, f, m)]
            at, word, on, lanes = writes[0]
            for lane in (0, 1):
                if on and lanes >> lane & 1:
                    mem[at] = mem[at] & ~(15 << 4 * lane) | word & (15 << 4 * lane)
        return out

    return body, model


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize(
    ("latency", "ruw", "write_latency"),
    [(0, "undefined", 1), (1, "old", 1), (1, "new", 1), (2, "undefined", 1), (2, "new", 2), (3, "old", 3)],
)
def test_firmem_reads_what_was_written(latency: int, ruw: str, write_latency: int, mode: str) -> None:
    body, model = firmem(latency, ruw, write_latency)
    assert [row[0] for row in printed(body, [("%r", 8)], mode)] == model()


def test_a_read_write_port_writes_or_reads() -> None:
    body = """
  %mem = seq.firmem 1, 1, old, port_order : <4 x 8>
  %r = seq.firmem.read_write_port %mem[%a] = %d if %f, clock %clk enable %e : <4 x 8>
"""
    mem, data, expected = [0] * 4, 0, []
    for a, _, d, e, f, _ in inputs():
        expected.append(data)
        data = mem[a] if e and not f else 0
        if e and f:
            mem[a] = d
    assert [row[0] for row in printed(body, [("%r", 8)])] == expected


def test_the_later_port_wins_a_word_and_lanes_of_different_ports_join() -> None:
    body = """
  %mem = seq.firmem 0, 1, undefined, port_order : <4 x 8, mask 2>
  %low = hw.constant 1 : i2
  %high = hw.constant -2 : i2
  %x = hw.constant 90 : i8
  %r = seq.firmem.read_port %mem[%a], clock %clk : <4 x 8, mask 2>
  seq.firmem.write_port %mem[%w] = %d, clock %clk mask %low : <4 x 8, mask 2>
  seq.firmem.write_port %mem[%w] = %d, clock %clk mask %high : <4 x 8, mask 2>
  seq.firmem.write_port %mem[%w] = %x, clock %clk enable %f mask %high : <4 x 8, mask 2>
"""
    mem, expected = [0] * 4, []
    for a, w, d, _, f, _ in inputs():
        expected.append(mem[a])
        mem[w] = d & 15 | 80 if f else d
    assert [row[0] for row in printed(body, [("%r", 8)])] == expected


def test_an_address_behind_the_last_word_reads_zero_and_writes_nothing() -> None:
    body = """
  %mem = seq.firmem 0, 1, undefined, port_order : <3 x 8>
  %r = seq.firmem.read_port %mem[%a], clock %clk : <3 x 8>
  seq.firmem.write_port %mem[%w] = %d, clock %clk : <3 x 8>
"""
    mem, expected = [0] * 3, []
    for a, w, d, *_ in inputs():
        expected.append(mem[a] if a < 3 else 0)
        if w < 3:
            mem[w] = d
    assert [row[0] for row in printed(body, [("%r", 8)])] == expected


def test_hlmem_with_two_dimensions_and_latencies() -> None:
    body = """
  %i = comb.extract %a from 0 : (i2) -> i1
  %j = comb.extract %a from 1 : (i2) -> i1
  %k = comb.extract %w from 0 : (i2) -> i1
  %l = comb.extract %w from 1 : (i2) -> i1
  %mem = seq.hlmem @mem %clk, %false : <2x2xi8>
  %r0 = seq.read %mem[%i, %j] { latency = 0 } : !seq.hlmem<2x2xi8>
  %r1 = seq.read %mem[%i, %j] rden %e { latency = 1 } : !seq.hlmem<2x2xi8>
  seq.write %mem[%k, %l] %d wren %f { latency = 1 } : !seq.hlmem<2x2xi8>
"""
    mem: dict[tuple[int, int], int] = {}
    held, expected = 0, []
    for a, w, d, e, f, _ in inputs():
        at = (a & 1, a >> 1)
        expected.append((mem.get(at, 0), held))
        if e:
            held = mem.get(at, 0)
        if f:
            mem[(w & 1, w >> 1)] = d
    assert printed(body, [("%r0", 8), ("%r1", 8)]) == expected


@pytest.mark.parametrize(("depth", "latency"), [(1, 0), (3, 0), (4, 1)])
def test_a_fifo_keeps_the_order_and_tells_how_full_it_is(depth: int, latency: int) -> None:
    body = f"""
  %m0 = comb.extract %m from 0 : (i2) -> i1
  %m1 = comb.extract %m from 1 : (i2) -> i1
  %rst = comb.and %m0, %m1, %e : i1
  %o, %full, %empty, %af, %ae = seq.fifo depth {depth} rd_latency {latency} almost_full 2 almost_empty 1 in %d rdEn %e wrEn %f clk %clk rst %rst : i8
"""
    words: list[int] = []
    held = 0
    rows = printed(body, [("%o", 8), ("%full", 1), ("%empty", 1), ("%af", 1), ("%ae", 1)])
    for row, (_, _, d, e, f, m) in zip(rows, inputs(), strict=True):
        flags = (int(len(words) == depth), int(not words), int(len(words) >= 2), int(len(words) <= 1))
        assert row[1:] == flags
        if latency:
            assert row[0] == held
        elif words:
            assert row[0] == words[0]
        reads, writes = bool(e and words), bool(f and (len(words) < depth or e))
        if reads:
            held = words.pop(0)
        if writes:
            words.append(d)
        if m == 3 and e:
            words.clear()


def test_contents_from_a_file_are_refused() -> None:
    with pytest.raises(Unsupported, match="from a file"):
        printed('  %mem = seq.firmem 0, 1, undefined, port_order init #seq.firmem.init<"x.hex", false, false> : <4 x 8>\n', [("%d", 8)])
