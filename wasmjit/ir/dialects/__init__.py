"""The op tables, one module per dialect. Importing this package fills `wasmjit.ir.spec.SPECS`."""

from __future__ import annotations

from wasmjit.ir.dialects import (
    arith,
    builtin,
    cf,
    comb,
    func,
    hw,
    index,
    llhd,
    llvm,
    llvm_func,
    ltl,
    math,
    misc,
    moore,
    scf,
    seq,
    sim,
    sim_data,
    sv,
    verif,
)

__all__ = ["arith", "builtin", "cf", "comb", "func", "hw", "index", "llhd", "llvm", "llvm_func", "ltl", "math", "misc", "moore", "scf", "seq", "sim", "sim_data", "sv", "verif"]
