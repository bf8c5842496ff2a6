"""The C library functions that designs declare: memory, bytes and characters, output, mathematics.

`malloc`, `calloc`, `realloc` and `free` are compiled (`compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from wasmjit.runtime.services import M32, M64, Runtime, checked_len, cstring, s32, s64, service

MAX_BLOCK = 1 << 32


@service("memcpy", "ppl", "p")
def memcpy(rt: Runtime, dst: int, src: int, size: int) -> int:
    n = checked_len(size, "memcpy size", MAX_BLOCK)
    if n:
        rt.store_bytes(dst, rt.read(src, n))
    return dst


@service("memmove", "ppl", "p")
def memmove(rt: Runtime, dst: int, src: int, size: int) -> int:
    return memcpy(rt, dst, src, size)


@service("memset", "pil", "p")
def memset(rt: Runtime, dst: int, byte: int, size: int) -> int:
    n = checked_len(size, "memset size")
    if n:
        rt.store_bytes(dst, bytes((byte & 0xFF,)) * n)
    return dst


@service("memcmp", "ppl", "i")
def memcmp(rt: Runtime, a: int, b: int, size: int) -> int:
    n = checked_len(size, "memcmp size")
    if not n:
        return 0
    x, y = rt.read(a, n), rt.read(b, n)
    return (x > y) - (x < y) & M32


@service("strlen", "p", "l")
def strlen(rt: Runtime, s: int) -> int:
    return len(cstring(rt, s))


@service("strcmp", "pp", "i")
def strcmp(rt: Runtime, a: int, b: int) -> int:
    x, y = cstring(rt, a), cstring(rt, b)
    return (x > y) - (x < y) & M32


@service("strncmp", "ppl", "i")
def strncmp(rt: Runtime, a: int, b: int, size: int) -> int:
    n = checked_len(size, "strncmp size")
    x, y = cstring(rt, a)[:n], cstring(rt, b)[:n]
    return (x > y) - (x < y) & M32


@service("strcpy", "pp", "p")
def strcpy(rt: Runtime, dst: int, src: int) -> int:
    rt.store_bytes(dst, cstring(rt, src) + b"\0")
    return dst


@service("puts", "p", "i")
def puts(rt: Runtime, s: int) -> int:
    rt.out(cstring(rt, s) + b"\n")
    return 0


@service("putchar", "i", "i")
def putchar(rt: Runtime, char: int) -> int:
    rt.out(bytes((char & 0xFF,)))
    return char & 0xFF


@service("abort")
def abort(rt: Runtime) -> None:
    rt.finish(1)


@service("exit", "i")
def c_exit(rt: Runtime, code: int) -> None:
    rt.finish(s32(code) & 0xFF)


@service("abs", "i", "i", pure=True)
def c_abs(rt: Runtime, value: int) -> int:
    return abs(s32(value)) & M32


@service("labs", "l", "l", pure=True)
def c_labs(rt: Runtime, value: int) -> int:
    return abs(s64(value)) & M64


def printf(rt: Runtime, fmt: int, args: list[int | float]) -> int:
    """C's printf over leaves: `%d i u x X o c s p f e g` with flags, width and precision; the number of bytes printed.

    Variadic, so it is no registered service: the caller passes the promoted arguments.
    """
    out, rest, spec = bytearray(), iter(args), cstring(rt, fmt)
    i = 0
    while i < len(spec):
        if spec[i] != 0x25:
            out.append(spec[i])
            i += 1
            continue
        j = i + 1
        while j < len(spec) and spec[j] in b"-+ #0123456789.":
            j += 1
        flags = spec[i:j].decode("ascii")
        k = j
        while k < len(spec) and spec[k] in b"lhzjt":
            k += 1
        long = b"l" in spec[j:k] or b"z" in spec[j:k] or b"j" in spec[j:k]
        code = chr(spec[k]) if k < len(spec) else "%"
        i = k + 1
        if code == "%":
            out.append(0x25)
            continue
        value = next(rest, 0)
        if code in "di":
            out += (flags + "d").encode() % (s64(int(value)) if long else s32(int(value)))
        elif code in "uxXo":
            out += (flags + ("d" if code == "u" else code)).encode() % (int(value) & (M64 if long else M32))
        elif code == "c":
            out.append(int(value) & 0xFF)
        elif code == "s":
            out += (flags + "s").encode() % cstring(rt, int(value))
        elif code == "p":
            out += b"0x%x" % int(value)
        elif code in "feEgG":
            out += (flags + code).encode() % float(value)
        else:
            out += spec[i - 2 : i]
    rt.out(bytes(out))
    return len(out)


def _math(name: str, fn: Callable[..., float], arity: int = 1) -> None:
    def call(rt: Runtime, *args: float) -> float:
        try:
            return float(fn(*args))
        except ZeroDivisionError:
            return math.inf
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    service(name, "d" * arity, "d", pure=True)(call)


def _log(fn: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: -math.inf if x == 0 else fn(x)


def _pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except ValueError:
        return math.inf if x == 0 else math.nan
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf


def _keep_special(fn: Callable[[float], float]) -> Callable[[float], float]:
    """Rounding: infinities and NaN stay, and a zero keeps the sign of its operand."""
    return lambda x: (float(fn(x)) or math.copysign(0.0, x)) if math.isfinite(x) else x


for _name, _fn in {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "asinh": math.asinh, "acosh": math.acosh, "atanh": math.atanh,
    "exp": math.exp, "log": _log(math.log), "log10": _log(math.log10), "log2": _log(math.log2), "sqrt": math.sqrt,
    "floor": _keep_special(math.floor), "ceil": _keep_special(math.ceil), "trunc": _keep_special(math.trunc), "fabs": math.fabs,
}.items():  # fmt: skip
    _math(_name, _fn)
for _name, _fn2 in {"pow": _pow, "atan2": math.atan2, "hypot": math.hypot, "fmod": math.fmod}.items():
    _math(_name, _fn2, 2)
