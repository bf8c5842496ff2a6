"""Calls of the functions that are compiled with the kernel: MIR operation `rt`, with what designs vary in their declarations adapted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wasmjit.data import dataclass
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.mir import F32, F64, I32, I64, I, Ty, Val

KERNEL_TYPES = {"i32": I32, "i64": I64, "f64": F64, "f32": F32}


@dataclass(frozen=True, slots=True)
class KernelFunction:
    """Signature of a kernel or library export: types are 'i32', 'i64' or 'f64', `result` is '' for none.

    `allocates`: it may make guest objects, so that a poll of the collector comes before each call. `pair`: 0, or the address in the control block at which the second result, an i64, lies after the call.
    """

    params: tuple[str, ...]
    result: str
    pair: int = 0
    allocates: bool = False

    def accepts(self, params: Sequence[Ty], results: Sequence[Ty]) -> bool:
        """Whether a declaration with these leaf types can be adapted: integers of another width, a pair packed into one i128, results not asked for."""
        want = [KERNEL_TYPES[p] for p in self.params]
        if len(want) != len(params) or any(a.kind != b.kind for a, b in zip(params, want, strict=True)):
            return False
        have = [KERNEL_TYPES[self.result]] if self.result else []
        if self.pair:
            have.append(I64)
        if not results:
            return True
        if len(results) == 1 and len(have) == 2:
            return results[0] == I(128)
        return len(results) == len(have) and all(a.kind == b.kind for a, b in zip(results, have, strict=True))


def resized(b: BodyBuilder, v: Val, ty: Ty) -> Val:
    """An integer zero-extended or cut to the width of `ty`; a float as it is."""
    if v.ty.kind != "i" or v.ty == ty:
        return v
    return b.op("zext", ty, (v,)) if v.ty.size < ty.size else b.op("extract", ty, (v,), 0)


def library_call(b: BodyBuilder, exports: Mapping[str, KernelFunction], name: str, args: Sequence[Val], results: Sequence[Ty]) -> tuple[Val, ...] | None:
    """Call an export; None when there is none of that name with a fitting signature."""
    fn = exports.get(name)
    if fn is None or not fn.accepts([a.ty for a in args], results):
        return None
    if fn.allocates:
        b.op("gcpoll", (), ())
    fitted = [resized(b, a, KERNEL_TYPES[p]) for a, p in zip(args, fn.params, strict=True)]
    if not fn.result:
        b.op("rt", (), fitted, name)
        return ()
    got = [b.op("rt", KERNEL_TYPES[fn.result], fitted, name)]
    if fn.pair and results:
        got[0] = resized(b, got[0], I64)
        got.append(b.op("ldt", I64, (b.i32(0),), fn.pair))
        if len(results) == 1:
            return (b.op("concat", results[0], (got[1], got[0])),)
    return tuple(resized(b, v, ty) for v, ty in zip(got, results, strict=False))
