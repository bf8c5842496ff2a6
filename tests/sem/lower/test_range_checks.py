"""Array indices with a range check inside, as circt-verilog writes them."""

from __future__ import annotations

import pytest

from wasmjit.ir import parse_text
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation


def printed(text: str) -> str:
    out: list[bytes] = []
    Simulation(parse_text(text, "t.mlir"), RunOptions(mode="interpret"), stdout=out.append, stderr=lambda line: None).run()
    return b"".join(out).decode()


def module(count: int, width: int, body: str) -> str:
    return f"""hw.module @t() {{
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %zero = hw.constant 0 : i{8 * count}
      %c7 = hw.constant 7 : i8
      %c9 = hw.constant 9 : i8
      %first = hw.constant -1 : i{width}
      %none = hw.constant 0 : i{32 - width}
      %z = hw.bitcast %zero : (i{8 * count}) -> !hw.array<{count}xi8>
      %a = llhd.sig %z : !hw.array<{count}xi8>
      %in = llhd.sig %start : i32
      %start = hw.constant 0 : i32
      llhd.process {{
        %top = llhd.sig.array_get %a[%first] : <!hw.array<{count}xi8>>
        llhd.drv %top, %c7 after %eps : i8
        {body}
        llhd.halt
      }}
    }}"""


def checked(index: int, width: int) -> str:
    return f"""
        %x0 = hw.constant {index} : i32
        llhd.drv %in, %x0 after %eps : i32
        %x = llhd.prb %in : i32
        %high = comb.extract %x from {width} : (i32) -> i{32 - width}
        %ok = comb.icmp eq %high, %none : i{32 - width}
        %low = comb.extract %x from 0 : (i32) -> i{width}
        %i = comb.mux %ok, %low, %first : i{width}
"""


@pytest.mark.parametrize(("index", "value"), [(3, 7), (0, 0), (4, 0), (-1, 0), (1 << 20, 0)])
def test_a_read_out_of_range_does_not_hit_the_last_element(index: int, value: int) -> None:
    text = module(4, 2, checked(index, 2) + """
        %p = llhd.prb %a : !hw.array<4xi8>
        %e = hw.array_get %p[%i] : !hw.array<4xi8>, i2
        %f = sim.fmt.dec %e specifierWidth 0 : i8
        sim.proc.print %f
""")
    assert printed(text) == str(value)


@pytest.mark.parametrize(("index", "last"), [(3, 9), (2, 7), (4, 7), (-1, 7)])
def test_a_write_out_of_range_does_nothing(index: int, last: int) -> None:
    text = module(4, 2, checked(index, 2) + """
        %r = llhd.sig.array_get %a[%i] : <!hw.array<4xi8>>
        llhd.drv %r, %c9 after %eps : i8
        %p = llhd.prb %a : !hw.array<4xi8>
        %e = hw.array_get %p[%first] : !hw.array<4xi8>, i2
        %f = sim.fmt.dec %e specifierWidth 0 : i8
        sim.proc.print %f
""")
    assert printed(text) == str(last)


def test_an_index_without_a_check_means_what_it_says() -> None:
    text = module(4, 2, """
        %p = llhd.prb %a : !hw.array<4xi8>
        %e = hw.array_get %p[%first] : !hw.array<4xi8>, i2
        %f = sim.fmt.dec %e specifierWidth 0 : i8
        sim.proc.print %f
""")
    assert printed(text) == "7"
