"""Blocks in text: headers, successors, and what is settled when a region is complete."""

from __future__ import annotations

from typing import Any

from wasmjit.data import replace
from wasmjit.ir.core import Block, Op, Region, Source, Value
from wasmjit.ir.diagnostics import Diagnostic
from wasmjit.ir.names import NameReader, Scope, near
from wasmjit.ir.scanner import LABEL
from wasmjit.ir.types import Type


class BlockReader(NameReader):
    """Reads block names and arguments; a block that is named before its header is made at its first use."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.labels: dict[str, Block] = {}
        self.label_uses: dict[str, int] = {}
        self.block = Block(Region())
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []

    def successor(self) -> tuple[Block, list[Value]]:
        """`^bb1` or `^bb1(%a, %b : T, T)`."""
        pos = self.ws()
        m = LABEL.match(self.text, pos)
        if m is None:
            self.error(f"expected a block name (^...){self.found()}")
        self.pos = m.end()
        block = self.labels.get(m[1])
        if block is None:
            block = self.labels[m[1]] = Block(self.block.region, m[1])
            self.label_uses[m[1]] = pos
        if not self.text.startswith("(", self.pos):
            return block, []
        self.pos += 1
        operands = self.ssa_list()
        types: list[Type] = []
        if operands:
            self.expect(":")
            types = self.types_plain()
        self.expect(")")
        return block, self.resolve_all(operands, types, pos)

    def types_plain(self) -> list[Type]:
        """`T, T, T`, at least one."""
        out = [self.type()]
        while self.accept(","):
            out.append(self.type())
        return out

    def pad_waits(self, blocks: list[Block]) -> None:
        """`llhd.wait` may pass fewer values than its target takes: circt-verilog writes such designs (its wait is no branch to MLIR's verifier).

        The missing values become zeros, so that everybody else may rely on complete argument lists; a warning says so.
        """
        for block in blocks:
            op = block.ops[-1] if block.ops else None
            if op is None or op.name != "llhd.wait" or not op.successors:
                continue
            target, args = op.successors[0]
            missing = target.args[len(args) :]
            if not missing or any(a.type is not b.type for a, b in zip(args, target.args, strict=False)):
                continue
            for arg in missing:
                zero = Op("llvm.mlir.zero", [], {}, (), (), op._pos, self.source, block)
                zero.results = [Value(arg.type, zero, 0, "")]
                block.ops.insert(-1, zero)
                args.append(zero.results[0])
            text = (
                f"llhd.wait passes {len(args) - len(missing)} values, but ^{target.label} takes {len(args)}; the others are taken as zero"
            )
            warning = self.source.diagnostic(op.text_pos, text, "the front end lost values here; results may differ from the source")
            self.warnings.append(replace(warning, severity="warning"))

    def leave_pending(self, scope: Scope) -> None:
        """Names used in a finished region but not defined in it: an enclosing region may still define them, unless it is complete."""
        outer = scope.parent
        for name, pos in scope.pending.items():
            if outer is not None and outer is self.scope:
                outer[name] = scope[name]
                outer.pending[name] = pos
            else:
                self.errors.append(self.source.diagnostic(pos, f"'{name}' is not defined", near(name, scope)))

    def block_header(self, region: Region) -> Block:
        """`^name(%a: T, %b: T):`."""
        pos = self.ws()
        m = self.match(LABEL)
        if m is None:
            self.error(f"expected a block name (^...){self.found()}")
        label = m[1]
        block = self.labels.get(label)
        if block is None:
            block = self.labels[label] = Block(region, label)
        elif label in self.label_uses:
            del self.label_uses[label]
            block.region = region
        else:
            self.error(f"block '^{label}' is defined twice", pos)
        if self.accept("("):
            for i, (name, t, _, npos) in enumerate(self.block_args()):
                block.args.append(self.define(name, Value(t, block, i, name[1:]), npos))
        self.expect(":")
        return block

    def block_args(self) -> list[tuple[str, Type, dict[str, Any], int]]:
        """`%a: T {attrs} loc(...), ...)` after the opening parenthesis, with the closing one."""
        out: list[tuple[str, Type, dict[str, Any], int]] = []
        if self.accept(")"):
            return out
        while True:
            name, pos = self.ssa()
            self.expect(":")
            t = self.type()
            attrs = self.optional_attr_dict()
            self.optional_location()
            out.append((name, t, attrs, pos))
            if self.accept(")"):
                return out
            self.expect(",")
