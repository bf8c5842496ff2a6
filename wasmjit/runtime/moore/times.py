"""`%t`, `$timeformat` (IEEE 1800-2023 §20.4.3, §21.2.1.5) and `$printtimescale` (§20.4.2)."""

from __future__ import annotations

from wasmjit.runtime.moore.strings import make
from wasmjit.runtime.services import Runtime, s32, s64, service, string_value
from wasmjit.sem.format import TimeFormat, format_time


def time_format(rt: Runtime) -> TimeFormat:
    """The format in force; before `$timeformat` the unit is the design's smallest precision, without padding (`%0t`; the front end does
    not tell `%t` apart)."""
    return rt.host.time_format or TimeFormat(rt.time_precision, 0, b"", 0)


@service("__moore_format_time", "l", "pl")
def moore_format_time(rt: Runtime, fs: int) -> tuple[int, int]:
    return make(rt, format_time(s64(fs), time_format(rt)))


@service("__moore_timeformat", "iipli")
def moore_timeformat(rt: Runtime, unit: int, precision: int, suffix: int, suffix_len: int, min_width: int) -> None:
    """Units outside 0 ... -15 keep the unit in force."""
    old = time_format(rt)
    u = s32(unit)
    rt.host.time_format = TimeFormat(
        u if -15 <= u <= 0 else old.unit, max(0, s32(precision)), string_value(rt, suffix, suffix_len), max(0, s32(min_width))
    )


_UNITS = ("s", "ms", "us", "ns", "ps", "fs")


def time_name(exponent: int) -> str:
    """A power of ten in seconds as SystemVerilog writes it: -9 is 1ns, -8 10ns, -7 100ns."""
    step = -(exponent // 3)
    return f"{10 ** (exponent + 3 * step)}{_UNITS[step]}" if 0 <= step < len(_UNITS) else f"1e{exponent}s"


@service("__moore_printtimescale")
def moore_printtimescale(rt: Runtime) -> None:
    """The MLIR keeps no time scale: what is printed is circt-verilog's default, 1ns / 1ps (the simulator itself counts femtoseconds)."""
    rt.out(f"Time scale of ({rt.instance_path()}) is {time_name(-9)} / {time_name(-12)}\n".encode())
