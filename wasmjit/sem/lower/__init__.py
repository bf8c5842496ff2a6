"""Meanings of operations: one file per dialect, registered by decorator in `core.LOWER`."""

from wasmjit.sem.lower import arith, assoc, comb, control, disable, foreach, func, hw, llhd, llvm, moore, randomize, seq, seq_memory, sim, verif
from wasmjit.sem.lower.core import LOWER, SUSPENDING, Lowerer, Program, Scope, Unsupported

__all__ = [
    "LOWER",
    "SUSPENDING",
    "Lowerer",
    "Program",
    "Scope",
    "Unsupported",
    "arith",
    "assoc",
    "comb",
    "control",
    "disable",
    "foreach",
    "func",
    "hw",
    "llhd",
    "llvm",
    "moore",
    "randomize",
    "seq",
    "seq_memory",
    "sim",
    "verif",
]
