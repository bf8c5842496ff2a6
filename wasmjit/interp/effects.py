"""Python text for the MIR operations that read or write memory, nets and other bodies.

`LOADS` gives expressions (trusted loads), `EFFECTS` emits statements. Addresses derived from `ctx` and `frame` use locals that hold them
already shifted (`ctx2` is `ctx >> 2`): contexts and frames are at least 8-byte aligned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sem.mir import CB_ISLAND, POLL_PLACE, Drive, Op, Ty, Val
from .exprs import _literal, num, to_image

if TYPE_CHECKING:
    from .generator import Generator

EffectFn = Callable[["Generator", Op], None]
LOW = "0xffffffff"
VIEW = {1: "m8", 2: "m16", 4: "m32", 8: "m64"}
SHIFT = {1: 0, 2: 1, 4: 2, 8: 3}


def index(g: Generator, base: str, off: int, n: int) -> str | None:
    """Index text into the view of n-byte elements for address base + off; None when it is not aligned to n."""
    shift = SHIFT[n]
    if base in ("ctx", "frame"):
        if off % n:
            return None
        if shift:
            base = g.shifted(base, shift)
        off >>= shift
        return f"{base} + {off}" if off else base
    text = f"{base} + {off}" if off else base
    return f"{text} >> {shift}" if shift else text


def load(g: Generator, ty: Ty, base: str, off: int) -> str:
    """Expression for a trusted load; `base` is evaluated twice for images and integers over 64 bits."""
    n = ty.nbytes
    at = index(g, base, off, n) if ty.kind == "f" or (ty.kind == "i" and n <= 8) else None
    if at is not None:
        return f"mf{ty.size}[{at}]" if ty.kind == "f" else f"{VIEW[n]}[{at}]"
    raw = f"m8[{base} + {off} : {base} + {off + n}]"
    if ty.kind == "a":
        return f"bytes({raw})"
    return f"U{'F' if n == 4 else 'D'}({raw})[0]" if ty.kind == "f" else f"IB({raw}, 'little')"


def store(g: Generator, ty: Ty, base: str, off: int, text: str) -> str:
    """Statement for a trusted store."""
    n = ty.nbytes
    at = index(g, base, off, n) if ty.kind == "f" or (ty.kind == "i" and n <= 8) else None
    if at is not None:
        return f"mf{ty.size}[{at}] = {text}" if ty.kind == "f" else f"{VIEW[n]}[{at}] = {text}"
    return f"m8[{base} + {off} : {base} + {off + n}] = {image(ty, text)}"


def image(ty: Ty, text: str) -> str:
    return to_image(ty, _literal(text))


def canonical(ty: Ty, text: str) -> str:
    """A float, named by `text`, whose NaNs are all one."""
    return f"{text} if {text} == {text} else NAN" if ty.kind == "f" else text


def outward(ty: Ty, text: str) -> str:
    """A leaf as others may see it: never a Python bool."""
    return f"+{text}" if ty.kind == "i" and ty.size == 1 and not text.isdigit() else text


# ---------------------------------------------------------------- expressions


def _ldt(g: Generator, op: Op) -> str:
    return load(g, op.dsts[0].ty, g.use(op.args[0]), op.attr)


def _ldbits(g: Generator, op: Op) -> str:
    a, bit = g.use(op.args[0]), g.use(op.args[1])
    ty = op.dsts[0].ty
    return f"IB(m8[{a} + ({bit} >> 3) : {a} + ({bit} + {ty.size + 7} >> 3)], 'little') >> ({bit} & 7) & {num(ty.mask)}"


def _netid(g: Generator, op: Op) -> str:
    at = index(g, "ctx", 0, 4)
    return f"m32[{at}] + {op.attr}" if op.attr else f"m32[{at}]"


LOADS: dict[str, Callable[[Generator, Op], str]] = {"ldt": _ldt, "ldbits": _ldbits, "netid": _netid}
NAMED: dict[str, tuple[int, ...] | None] = {
    "ldbits": None, "ld": None, "st": None, "netstore": None, "drvref": (0, 1), "memcpy": None, "memmove": None, "memset": None, "alloca": None,
}  # fmt: skip
"""Operand positions (None: all) that must be names because the text uses them more than once or in a branch."""
NAMED_COMPACT: dict[str, tuple[int, ...] | None] = NAMED | {"ld": (), "st": ()}
"""The same where loads and stores are calls (`COMPACT_HELPERS`)."""

COMPACT_HELPERS = "".join(
    f"""
def L{n}(p, o, s):
 a = (p & {LOW}) + o
 if a < GLO or a > MEND - {n}: F(s, a)
 return m8[a]
"""
    if n == 1
    else f"""
def L{n}(p, o, s):
 a = (p & {LOW}) + o
 if a < GLO or a > MEND - {n}: F(s, a)
 return {VIEW[n]}[a >> {SHIFT[n]}] if not a & {n - 1} else U{n}(m8, a)[0]
"""
    for n in VIEW
) + "".join(
    f"""
def S{n}(p, o, s, v):
 a = (p & {LOW}) + o
 if a < GLO or a > MEND - {n}: F(s, a)
 if p > {LOW}: k_store_net((p >> 32 & {LOW}) - 1, a, {n}, v)
 elif a & {n - 1}: m8[a : a + {n}] = v.to_bytes({n}, 'little')
 else: {VIEW[n]}[a >> {SHIFT[n]}] = v
"""
    for n in VIEW
)
"""Checked loads and stores of integers as functions of pointer (bits above the 64th do not matter), offset, fault site (and value), for code that is seldom executed: Python takes longer to compile
the same in place than to call them a few times. They live in the namespace of the generated code."""

# ---------------------------------------------------------------- statements


def _stt(g: Generator, op: Op) -> None:
    g.line(store(g, op.args[1].ty, g.use(op.args[0]), op.attr, canonical(op.args[1].ty, g.use(op.args[1]))))


def _guard(g: Generator, ptr: str, off: int, n: int, site: int) -> None:
    g.line(f"a = ({ptr} & {LOW}) + {off}" if off else f"a = {ptr} & {LOW}")
    g.line(f"if a < GLO or a > MEND - {n}: F({site}, a)")


def _direct(g: Generator, ptr: Val, off: int, n: int) -> tuple[str, int] | None:
    """(base, offset) for a trusted access of n ≤ 8 bytes, if it is known to be aligned, inside of plain memory that exists: static data and allocas."""
    if ptr.const is not None:
        at = int(ptr.const) + off
        known = at >> 32 == 0 and g.env.guest_lo <= at and at + n <= g.env.ns["MEND"]
        return ("", at) if known and at % n == 0 else None
    place = g.places.get(ptr.id)
    if place is None:
        return None
    base, at, end = place
    at += off
    return (base, at) if at % n == 0 and 0 <= at and at + n <= end else None


def _at(g: Generator, place: tuple[str, int], n: int) -> str:
    base, off = place
    text = index(g, base, off, n) if base else num(off >> SHIFT[n])
    assert text is not None
    return text


def _ld(g: Generator, op: Op) -> None:
    off, site = op.attr
    dst = op.dsts[0]
    ty, n = dst.ty, dst.ty.nbytes
    place = _direct(g, op.args[0], off, n) if ty.kind != "a" and n <= 8 else None
    if place is not None:
        text = f"{f'mf{ty.size}' if ty.kind == 'f' else VIEW[n]}[{_at(g, place, n)}]"
        g.set(dst, text if ty.kind == "f" or ty.size == 8 * n else f"{text} & {num(ty.mask)}")
        return
    ptr = g.use(op.args[0])
    if g.compact and ty.kind == "i" and n <= 8:
        text = f"L{n}({ptr}, {off}, {site})"
        g.set(dst, text if ty.size == 8 * n else f"{text} & {num(ty.mask)}")
        return
    if ty.kind == "a" or n > 8:
        text = f"LDB(E, ({ptr} & {LOW}) + {off}, {n}, {site})"
        if ty.kind == "i":
            text = f"IB({text}, 'little')"
    else:
        _guard(g, ptr, off, n, site)
        if n == 1:
            text = "m8[a]"
        elif ty.kind == "f":
            text = f"mf{ty.size}[a >> {SHIFT[n]}] if not a & {n - 1} else U{'F' if n == 4 else 'D'}(m8, a)[0]"
        else:
            text = f"{VIEW[n]}[a >> {SHIFT[n]}] if not a & {n - 1} else U{n}(m8, a)[0]"
    if ty.kind == "i" and ty.size != 8 * n:
        text = f"({text}) & {num(ty.mask)}"
    g.set(dst, text)


def _st(g: Generator, op: Op) -> None:
    off, site = op.attr
    ty = op.args[1].ty
    n = ty.nbytes
    place = _direct(g, op.args[0], off, n) if ty.kind != "a" and n <= 8 else None
    if place is not None:
        g.line(f"{f'mf{ty.size}' if ty.kind == 'f' else VIEW[n]}[{_at(g, place, n)}] = {canonical(ty, g.use(op.args[1]))}")
        return
    ptr, v = g.use(op.args[0]), g.use(op.args[1])
    if g.compact and ty.kind == "i" and n <= 8:
        g.line(f"S{n}({ptr}, {off}, {site}, {outward(ty, v)})")
        return
    if ty.kind == "a" or n > 8:
        g.line(f"STB(E, {ptr}, {off}, {image(ty, v)}, {site})")
        return
    _guard(g, ptr, off, n, site)
    bits = f"FB{ty.size}({v})" if ty.kind == "f" else outward(ty, v)
    g.line(f"if {ptr} > {LOW}: {g.kernel('k_store_net')}(({ptr} >> 32) - 1, a, {n}, {bits})")
    if n == 1:
        g.line(f"else: m8[a] = {v}")
    else:
        view = f"mf{ty.size}" if ty.kind == "f" else VIEW[n]
        g.line(f"elif a & {n - 1}: m8[a : a + {n}] = {image(ty, v)}")
        g.line(f"else: {view}[a >> {SHIFT[n]}] = {canonical(ty, v)}")


def place_alloca(g: Generator, op: Op) -> None:
    """Say where an alloca of known size lies."""
    size, _ = op.attr
    n = op.args[0].const
    dst = op.dsts[0]
    frame = g.body.frame
    if frame is not None and dst.id in frame.allocas:
        assert isinstance(n, int)
        g.place(dst, "frame", frame.allocas[dst.id], frame.allocas[dst.id] + n * size)
    elif isinstance(n, int) and not g.body.suspending:
        g.places[dst.id] = (f"v{dst.id}", 0, n * size)


def _alloca(g: Generator, op: Op) -> None:
    size, align = op.attr
    n = op.args[0].const
    dst = op.dsts[0]
    frame = g.body.frame
    if frame is not None and dst.id in frame.allocas:
        assert isinstance(n, int)
        off = frame.allocas[dst.id]
        if n * size:
            g.line(f"m8[frame + {off} : frame + {off + n * size}] = {g.name(bytes(n * size))}")
        return
    count = g.use(op.args[0])
    nbytes = str(n * size) if isinstance(n, int) else f"{count} * {size}" if size != 1 else count
    g.set(dst, f"FALLOC(E, frame, {nbytes})" if g.body.suspending else f"E.stack_alloc({nbytes}, {align})")


def _memcpy(g: Generator, op: Op) -> None:
    g.line(f"MCPY(E, {', '.join(map(g.use, op.args))}, {_site(op)})")


def _memset(g: Generator, op: Op) -> None:
    g.line(f"MSET(E, {', '.join(map(g.use, op.args))}, {_site(op)})")


def _site(op: Op) -> int:
    return -1 if op.attr is None else int(op.attr)


# ---------------------------------------------------------------- nets


def _netstore(g: Generator, op: Op) -> None:
    k, off, offs, _size, *members = op.attr
    tests, stores = [], []
    for v, o in zip(op.args, offs, strict=True):
        text, ty = g.use(v), v.ty
        if ty.kind == "f":  # by bits: -0.0 differs from 0.0
            ty, text = Ty("i", ty.size), f"FB{ty.size}({text})"
        if ty.kind == "i" and ty.nbytes > 8:
            text, ty = image(ty, text), Ty("a", ty.nbytes)
        tests.append(f"{load(g, ty, 'ctx', off + o)} != {text}")
        stores.append(store(g, ty, "ctx", off + o, text))
    g.line(f"if {' or '.join(tests)}:")
    base = index(g, "ctx", 0, 4)
    for s in stores:
        g.line(" " + s)
    for bits in members:
        g.line(f" m32[{CB_ISLAND >> 2}] |= {bits}")
    g.line(f" {g.kernel('k_net_changed')}(m32[{base}] + {k})")


def whole(d: Drive, leaves: list[tuple[Val, str]]) -> str:
    """The image of all leaves of a drive, `d.size` bytes."""
    if len(leaves) == 1 and d.offs[0] == 0 and leaves[0][0].ty.nbytes == d.size:
        return image(leaves[0][0].ty, leaves[0][1])
    order = sorted(range(len(leaves)), key=lambda i: d.offs[i])
    parts, at = [], 0
    for i in order:
        v, text = leaves[i]
        if d.offs[i] > at:
            parts.append(repr(bytes(d.offs[i] - at)))
        parts.append(image(v.ty, text))
        at = d.offs[i] + v.ty.nbytes
    if at < d.size:
        parts.append(repr(bytes(d.size - at)))
    return " + ".join(parts) if len(parts) < 8 else f"b''.join(({', '.join(parts)}))"


def _time(g: Generator, op: Op, skip: int) -> str:
    d = op.attr
    if d.time is not None:
        return ", ".join(map(num, d.time))
    return ", ".join(map(g.use, op.args[skip + d.nleaves :]))


def _scalar(d: Drive, leaf: Val) -> bool:
    return d.nleaves == 1 and d.offs[0] == 0 and leaf.ty.kind != "a" and leaf.ty.nbytes == d.size and d.size <= 8


def _drv(g: Generator, op: Op) -> None:
    d = op.attr
    net, addr = g.use(op.args[0]), g.use(op.args[1])
    leaves = [(v, g.use(v)) for v in op.args[2 : 2 + d.nleaves]]
    if not _scalar(d, leaves[0][0]):
        g.line(f"DRVB(E, {net}, {addr}, {whole(d, leaves)}, {_time(g, op, 2)})")
        return
    v, text = leaves[0]
    text = f"FB{v.ty.size}({text})" if v.ty.kind == "f" else outward(v.ty, text)
    head = f"{net}, {addr}, {d.size}, {text}"
    if d.time == (0, 0, 1):
        g.line(f"{g.kernel('k_drive_eps')}({head})")
    elif d.time == (0, 1, 0):
        g.line(f"{g.kernel('k_drive_delta')}({head})")
    else:
        g.line(f"{g.kernel('k_drive')}({head}, {_time(g, op, 2)})")


def _drvref(g: Generator, op: Op) -> None:
    d = op.attr
    ptr, bit = g.use(op.args[0]), g.use(op.args[1])
    leaves = [(v, g.use(v)) for v in op.args[2 : 2 + d.nleaves]]
    if op.args[1].const == 0:
        g.line(f"DREF(E, {ptr}, {whole(d, leaves)}, {_time(g, op, 2)})")
    else:
        v, text = leaves[0]
        g.line(f"DBITS(E, {ptr}, {bit}, {v.ty.size}, {outward(v.ty, text)}, {_time(g, op, 2)})")


# ---------------------------------------------------------------- calls


def _arguments(g: Generator, args: tuple[Val, ...]) -> str:
    return ", ".join(outward(v.ty, g.use(v)) for v in args)


def _results(g: Generator, op: Op, call: str) -> None:
    if not op.dsts:
        g.line(call)
    else:
        g.line("".join(f"v{d.id}, " for d in op.dsts) + f"= {call}")


def _rt(g: Generator, op: Op) -> None:
    call = f"{g.kernel(op.attr)}({_arguments(g, op.args)})"
    if len(op.dsts) == 1:
        g.set(op.dsts[0], call if op.dsts[0].ty.kind == "f" else f"{call} & {num(op.dsts[0].ty.mask)}")
        return
    _results(g, op, call)
    for d in op.dsts:
        if d.ty.kind == "i":
            g.line(f"v{d.id} &= {num(d.ty.mask)}")


def _svc(g: Generator, op: Op) -> None:
    _results(g, op, f"{g.env.service_name(op.attr)}({_arguments(g, op.args)})")


def _call(g: Generator, op: Op) -> None:
    _results(g, op, f"{g.env.function_name(op.attr)}({_arguments(g, op.args)})")


def _icall(g: Generator, op: Op) -> None:
    rest = _arguments(g, op.args[1:])
    _results(g, op, f"ICALL(E, {g.use(op.args[0])}, {g.name(op.attr)}, ({rest}{',' if rest else ''}))")


def _gcpoll(g: Generator, op: Op) -> None:
    g.line(f"if m32[{POLL_PLACE >> 2}]: {g.kernel('k_collect')}()")


def _spawn(g: Generator, op: Op) -> None:
    tys = tuple(v.ty for v in op.args)
    rest = _arguments(g, op.args)
    g.set(op.dsts[0], f"SPAWN(E, {op.attr!r}, ctx, {g.slots(tys)}, ({rest}{',' if rest else ''}))")


EFFECTS: dict[str, EffectFn] = {
    "stt": _stt, "ld": _ld, "st": _st, "alloca": _alloca, "memcpy": _memcpy, "memmove": _memcpy, "memset": _memset,
    "netstore": _netstore, "drv": _drv, "drvref": _drvref,
    "rt": _rt, "svc": _svc, "call": _call, "icall": _icall, "spawn": _spawn, "gcpoll": _gcpoll,
}  # fmt: skip
