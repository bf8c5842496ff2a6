"""Evaluating the logic of a module instance on the values that a waveform recorded, with the independent oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.support.mlir_eval import NotPure, Oracle, Plain, width
from wasmjit.ir import Design, Op, Value
from wasmjit.ir import types as T
from wasmjit.waves import WaveData

Rules = Mapping[Op, Callable[[Op, list[Plain]], tuple[Plain, ...]]]
_VALUE, _UNKNOWN = str.maketrans("01xz", "0101"), str.maketrans("01xz", "0011")


def sample(t: T.Type, bits: str) -> Plain:
    """Plain value of a recorded bit string: 4-state structs {value, unknown} read x as (0, 1) and z as (1, 1)."""
    if isinstance(t, T.StructType):
        return int(bits.translate(_VALUE), 2), int(bits.translate(_UNKNOWN), 2)
    return int(bits, 2)


def kept(op: Op, args: list[Plain], keep: int, fill: int) -> int:
    """Result of a comb.concat or comb.replicate whose bits from `keep` on are all `fill`: the operation without its copies of the sign."""
    total = width(op.results[0].type)
    bits = 0
    if op.name == "comb.replicate":
        bits = ((1 << total) - 1) * args[0]
        assert width(op.operands[0].type) == 1
    else:
        assert op.name == "comb.concat", op.name
        for v, x in zip(op.operands, args, strict=True):
            bits = bits << width(v.type) | x
    low = (1 << keep) - 1
    return bits & low | ((1 << total) - 1 & ~low if fill else 0)


@dataclass(slots=True)
class Instance:
    """An instance of a module in a recorded run."""

    design: Design
    module: Op
    path: str
    wave: WaveData
    names: dict[Value, str] = field(init=False)
    instead: Rules = field(default_factory=dict)

    def __post_init__(self) -> None:
        block = self.module.regions[0].blocks[0]
        self.names = dict(zip(block.args, ports(self.module, "in"), strict=True))
        for op in block.ops:
            if op.name == "llhd.sig":
                self.names[op.results[0]] = str(op.attrs.get("name") or op.results[0].name)
            elif op.name == "seq.firreg":
                self.names[op.results[0]] = str(op.attrs["name"])
            elif op.name == "hw.instance":
                child = self.design.symbols[op.attrs["moduleName"].name]
                for r, port in zip(op.results, ports(child, "out"), strict=True):
                    self.names[r] = f"{op.attrs['instanceName']}.{port}"

    def recorded(self, name: str, t: T.Type, time: int) -> Plain:
        """The recorded value of a name of this instance."""
        if isinstance(t, T.RefType):
            t = t.elem
        if isinstance(t, T.ArrayType):
            # Source index i is hw index N-1-i: these arrays are declared [0:N-1].
            return tuple(sample(t.elem, self._bits(f"{name}[{t.size - 1 - i}]", time)) for i in range(t.size))
        return sample(t, self._bits(name, time))

    def _bits(self, name: str, time: int) -> str:
        return str(self.wave.value_at(self.wave.signal(f"{self.path}.{name}"), time))

    def oracle(self, time: int, known: dict[str, Plain] | None = None) -> Oracle:
        """An oracle whose leaves are the recorded values at `time`, but for those `known`."""

        def leaf(v: Value) -> Plain:
            if v in self.names:
                name = self.names[v]
                return known[name] if known and name in known else self.recorded(name, v.type, time)
            op = v.defining_op
            if op is not None and op.name == "llhd.process":
                # always_comb: one activation from the entry computes the results from what it probes.
                return Oracle(leaf, self.instead).run(op.regions[0]).values[v.index]
            raise NotPure(f"{v} of {op}")

        return Oracle(leaf, self.instead)

    def driven(self, name: str) -> Op:
        """The llhd.drv of a signal at module level."""
        for op in self.module.regions[0].blocks[0].ops:
            if op.name == "llhd.drv" and self.names.get(op.operands[0]) == name:
                return op
        raise KeyError(name)

    def continuous(self, name: str, time: int) -> tuple[Plain, Plain]:
        """(computed by the oracle, recorded) of a signal driven by continuous logic, of an output port, or of an instance's input port "u.p"."""
        oracle = self.oracle(time)
        if name in ports(self.module, "out"):
            out = self.module.regions[0].blocks[0].ops[-1].operands[ports(self.module, "out").index(name)]
            return oracle.value(out), self.recorded(name, out.type, time)
        if "." in name:
            inst, port = name.split(".")
            op = next(o for o in self.module.walk() if o.name == "hw.instance" and o.attrs["instanceName"] == inst)
            arg = op.operands[ports(self.design.symbols[op.attrs["moduleName"].name], "in").index(port)]
            return oracle.value(arg), self.recorded(name, arg.type, time)
        drive = self.driven(name)
        return oracle.value(drive.operands[1]), self.recorded(name, drive.operands[0].type, time)

    def clocked(self, time: int, clock: str = "clk") -> dict[tuple[str, int | None], Plain]:
        """What the always_ff process assigns at the rising edge at `time`, from the values before it: (signal, source index or None) -> value."""
        block = self.module.regions[0].blocks[0]
        found: dict[tuple[str, int | None], Plain] = {}
        for op in block.ops:
            if op.name != "llhd.process" or not any(o.name == "llhd.wait" and o.successors[0][1] for o in op.walk()):
                continue
            before = self.oracle(time - 1)
            stopped = before.run(op.regions[0])
            resume, args = stopped.op.successors[0]
            after = self.oracle(time - 1, {clock: (1, 0)})
            end = after.run(op.regions[0], resume, [before.value(a) for a in args])
            for drive, ref, value in end.drives:
                size = drive.operands[0].type if ref.index is None else ref.signal.type
                index = None
                if ref.index is not None:
                    assert isinstance(size, T.RefType) and isinstance(size.elem, T.ArrayType)
                    index = size.elem.size - 1 - ref.index
                found[self.names[ref.signal], index] = value
            for drive in block.ops:
                if drive.name == "llhd.drv" and drive.operands[1].defining_op is op:
                    enable = drive.operand("enable")
                    if enable is None or end.values[enable.index]:
                        found[self.names[drive.operands[0]], None] = end.values[drive.operands[1].index]
        return found


def ports(module: Op, direction: str) -> list[str]:
    """Names of the input (or output) ports of an hw.module, in order."""
    return [p[1] for p in module.attrs["ports"] if (p[0] == "out") == (direction == "out")]
