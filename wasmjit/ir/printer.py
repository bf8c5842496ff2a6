"""Ops as text in MLIR's generic form, which the reader accepts again.

Integer attributes print with the result's type where the op has one (`value`), else as `i64`; enumerations print as the names of the custom form.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any

from wasmjit.ir.attrs import Dense, Opaque, SymbolRef, TimeAttr
from wasmjit.ir.core import Block, Design, Op, Region, Value
from wasmjit.ir.spec import SPECS
from wasmjit.ir.strings import quote
from wasmjit.ir.types import FloatType, FunctionType, IndexType, InOutType, IntType, Type, quote_name

_VALID = re.compile(r"(?:[0-9]+|[A-Za-z_$.-][\w$.-]*)\Z", re.ASCII)


class _Printer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[Value, str] = {}
        self.used: set[str] = set()
        self.labels: dict[Block, str] = {}
        self.indent = 0

    def line(self, text: str) -> None:
        self.lines.append("  " * self.indent + text)

    def name(self, v: Value) -> str:
        found = self.names.get(v)
        if found is None:
            base = v.name if v.name and _VALID.match(v.name) else "v"
            found, n = base, 0
            while found in self.used:
                n += 1
                found = f"{base}_{n}" if not base.isdigit() else f"v{base}_{n}"
            self.used.add(found)
            self.names[v] = found
        return "%" + found

    def op(self, op: Op) -> None:
        spec = SPECS.get(op.name)
        operands = list(op.operands)
        attrs = dict(op.attrs)
        if op.successors:
            extra = [args for _, args in op.successors]
            groups = spec.succ_groups if spec is not None else ()
            operands += [v for args in extra for v in args]
            if spec is not None and groups:
                sizes = attrs.get("operandSegmentSizes") or _own_sizes(op)
                if groups[-1].startswith("*"):
                    attrs["case_operand_segments"] = [len(a) for a in extra[len(groups) - 1 :]]
                    tail = [len(a) for a in extra[: len(groups) - 1]] + [sum(attrs["case_operand_segments"])]
                else:
                    tail = [len(a) for a in extra]
                if len(sizes) + len(tail) > 1:
                    attrs["operandSegmentSizes"] = [*sizes, *tail]
        head = ", ".join(map(self.name, op.results)) + " = " if op.results else ""
        head += f"{quote(op.name)}({', '.join(map(self.name, operands))})"
        if op.successors:
            head += "[" + ", ".join(self.label(b) for b, _ in op.successors) + "]"
        text = _attr_dict(op, attrs)
        tail_text = (" " + text if text else "") + " : " + _signature(operands, op.results)
        if not op.regions:
            self.line(head + tail_text)
            return
        self.line(head + " ({")
        for i, region in enumerate(op.regions):
            if i:
                self.line("}, {")
            self.region(region)
        self.line("})" + tail_text)

    def region(self, region: Region) -> None:
        blocks = region.blocks
        for i, block in enumerate(blocks):
            if block.args or i or len(blocks) > 1 or not block.ops:
                args = ", ".join(f"{self.name(a)}: {a.type}" for a in block.args)
                self.line(self.label(block) + (f"({args})" if args else "") + ":")
            self.indent += 1
            for op in block.ops:
                self.op(op)
            self.indent -= 1

    def label(self, block: Block) -> str:
        found = self.labels.get(block)
        if found is None:
            found = self.labels[block] = f"^bb{len(self.labels)}"
        return found


def _own_sizes(op: Op) -> list[int]:
    """Sizes of the operand groups of an op that has at most one group of variable size."""
    groups = SPECS[op.name].operands
    single = sum(1 for g in groups if not g.kind)
    return [1 if not g.kind else len(op.operands) - single for g in groups]


def _signature(operands: list[Value], results: list[Value]) -> str:
    return str(FunctionType(tuple(v.type for v in operands), tuple(v.type for v in results)))


def _attr_dict(op: Op, attrs: dict[str, Any]) -> str:
    if not attrs:
        return ""
    out = []
    for key, value in attrs.items():
        if key == "ports":
            out.append(_module_type(value))
            continue
        t = op.results[0].type if key in ("value", "preset") and op.results else op.attrs.get("global_type") if key == "value" else None
        out.append(f"{quote_name(key)} = {attr_text(value, t)}")
    return "{" + ", ".join(out) + "}"


def _module_type(ports: list[tuple[str, str, Type, dict[str, Any]]]) -> str:
    words = {"in": "input", "out": "output", "inout": "inout"}
    text = ", ".join(
        f"{words[d]} {n if re.fullmatch(r'[A-Za-z_][A-Za-z0-9_$.]*', n) else quote(n)} : {t.elem if d == 'inout' and isinstance(t, InOutType) else t}"
        for d, n, t, _ in ports
    )
    out = f"module_type = !hw.modty<{text}>"
    if any(a for _, _, _, a in ports):
        out += ", per_port_attrs = " + attr_text([a for _, _, _, a in ports])
    return out


def _float(value: float, t: Type | None) -> str:
    width = t.width if isinstance(t, FloatType) else 64
    name = str(t) if isinstance(t, FloatType) else "f64"
    if not math.isfinite(value):
        code, digits = {16: ("<e", 4), 32: ("<f", 8)}.get(width, ("<d", 16))
        return f"0x{int.from_bytes(struct.pack(code, value), 'little'):0{digits}X} : {name}"
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    return mantissa + (f"e{exponent}" if exponent else "") + f" : {name}"


def attr_text(value: Any, t: Type | None = None) -> str:
    """An attribute value as text. `t`: type to print numbers with."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to make decimal text of very long integers.
        digits = str(value) if value.bit_length() < 12000 else hex(value)
        return f"{digits} : {t if isinstance(t, (IntType, IndexType)) else 'i64'}"
    if isinstance(value, float):
        return _float(value, t)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(attr_text(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quote_name(k)} = {attr_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, TimeAttr):
        return f"#llhd.time<{value.fs}fs, {value.delta}d, {value.epsilon}e>"
    if isinstance(value, Dense):
        return f"dense<{_dense(value.values)}> : {value.type}"
    if isinstance(value, (SymbolRef, Opaque, Type)):
        return str(value)
    raise TypeError(f"no attribute: {value!r}")


def _dense(values: Any) -> str:
    if isinstance(values, list):
        return "[" + ", ".join(map(_dense, values)) + "]" if values else ""
    if isinstance(values, tuple):
        return "(" + ", ".join(map(_dense, values)) + ")"
    return attr_text(values).split(" : ")[0]


def print_generic(what: Op | Design) -> str:
    """The text of an op with everything in it, or of a whole design, in the generic form. Reads unread bodies (IRError)."""
    printer = _Printer()
    printer.op(what.root if isinstance(what, Design) else what)
    return "\n".join(printer.lines) + "\n"
