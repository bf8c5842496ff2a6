"""scf: structured control flow. Formats: MLIR `SCF/IR/SCFOps.td` and `SCF.cpp`."""

from __future__ import annotations

from wasmjit.ir.assembly import syntax
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import I1, INDEX, Type

_YIELD = "scf.yield"


@syntax("scf.yield", "results*", traits="terminator", results="")
def _yield(p: Parser, st: OpState) -> None:
    st.attrs = p.optional_attr_dict()
    names = p.ssa_list()
    if names:
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())


@syntax("scf.if", "condition", implicit=_YIELD)
def _if(p: Parser, st: OpState) -> None:
    """`%c -> (T) { ... } else { ... }`."""
    cond = p.ssa()
    st.operands = [p.resolve(cond, I1)]
    if p.accept("->"):
        st.results = p.types_or_one()
    st.regions.append(p.region(implicit=_YIELD))
    if p.accept_word("else"):
        st.regions.append(p.region(implicit=_YIELD))
    st.attrs = p.optional_attr_dict()


def _iter_args(p: Parser, st: OpState) -> list[tuple[str, Type]]:
    """`iter_args(%a = %init, ...) -> (T, ...)`: appends the operands and results, returns the block arguments."""
    inits, names = [], []
    p.expect("(")
    if not p.accept(")"):
        while True:
            names.append(p.ssa()[0])
            p.expect("=")
            inits.append(p.ssa())
            if p.accept(")"):
                break
            p.expect(",")
    types: list[Type] = []
    if p.accept("->"):
        types = p.types_or_one()
    if len(types) != len(names):
        p.error(f"{len(names)} loop values, but {len(types)} types")
    st.operands += p.resolve_all(inits, types)
    st.results = types
    return list(zip(names, types, strict=True))


@syntax("scf.for", "lowerBound upperBound step initArgs*", implicit=_YIELD)
def _for(p: Parser, st: OpState) -> None:
    """`%i = %lb to %ub step %s iter_args(...) -> (...) : i32 { ... }`."""
    unsigned = p.accept_word("unsigned")
    if unsigned:
        st.attrs["unsignedCmp"] = True
    iv = p.ssa()[0]
    p.expect("=")
    names = [p.ssa()]
    p.expect_word("to")
    names.append(p.ssa())
    p.expect_word("step")
    names.append(p.ssa())
    # The type of the induction variable comes after the loop values, whose resolution does not depend on it.
    back = st.operands
    args: list[tuple[str, Type]] = []
    if p.accept_word("iter_args"):
        st.operands = []
        args = _iter_args(p, st)
    inits = st.operands if st.operands is not back else []
    t: Type = INDEX
    if p.accept(":"):
        t = p.type()
    st.operands = [*(p.resolve(n, t) for n in names), *inits]
    st.regions.append(p.region([(iv, t), *args], implicit=_YIELD))
    st.attrs.update(p.optional_attr_dict())


@syntax("scf.while", "inits*")
def _while(p: Parser, st: OpState) -> None:
    """`(%a = %init) : (T) -> T { ... scf.condition } do { ^bb0(%b: T): ... }`."""
    names, inits = [], []
    if p.accept("(") and not p.accept(")"):
        while True:
            names.append(p.ssa()[0])
            p.expect("=")
            inits.append(p.ssa())
            if p.accept(")"):
                break
            p.expect(",")
    p.expect(":")
    t = p.function_type()
    st.operands = p.resolve_all(inits, t.inputs)
    st.results = list(t.results)
    st.regions.append(p.region(list(zip(names, t.inputs, strict=True))))
    p.expect_word("do")
    st.regions.append(p.region())
    if p.accept_word("attributes"):
        st.attrs = p.attr_dict()


@syntax("scf.condition", "condition args*", traits="terminator", results="")
def _condition(p: Parser, st: OpState) -> None:
    """`(%c) %a, %b : T, T`."""
    p.expect("(")
    cond = p.ssa()
    p.expect(")")
    st.attrs = p.optional_attr_dict()
    st.operands = [p.resolve(cond, I1)]
    names = p.ssa_list()
    if names:
        p.expect(":")
        st.operands += p.resolve_all(names, p.types_plain())


@syntax("scf.execute_region")
def _execute(p: Parser, st: OpState) -> None:
    if p.accept("->"):
        st.results = p.types_or_one()
    if p.accept_word("no_inline"):
        st.attrs["no_inline"] = True
    st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


@syntax("scf.index_switch", "arg", implicit=_YIELD)
def _index_switch(p: Parser, st: OpState) -> None:
    """`%i -> T case 2 { } default { }`: regions are default, then the cases (attribute `cases`)."""
    arg = p.ssa()
    st.operands = [p.resolve(arg, INDEX)]
    st.attrs = p.optional_attr_dict()
    if p.accept("->"):
        st.results = p.types_or_one()
    cases, regions = [], []
    while p.accept_word("case"):
        cases.append(p.integer("a case value"))
        regions.append(p.region(implicit=_YIELD))
    p.expect_word("default")
    st.regions = [p.region(implicit=_YIELD), *regions]
    st.attrs["cases"] = cases
