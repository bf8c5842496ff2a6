"""What IEEE 1800 says a small SystemVerilog module computes: expressions and statements over known (two-state) values.

It reads the generated designs of `shared/designs/random` and no more: vectors and one-dimensional memories, `assign`, `always_comb`, one `always_ff`,
automatic functions, the operators, concatenation, selects, `$signed`, casts to a size. The rules are those of IEEE 1800-2023 §11.6 (sizes)
and §11.8 (signedness): size and signedness of an expression are found bottom-up, then pushed down to the operands, and an operand is
extended by the *pushed* signedness (§11.8.2). `sign_by_operand` is the one deviation that can be chosen: every operand is extended by its own
signedness, which is how `circt-verilog` translated these designs.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Node = tuple[Any, ...]
"""("num", bits, signed, value), ("id", name), ("index", name, expr), ("slice", name, hi, lo), ("concat", items), ("repl", n, items), ("un", op, e),
("bin", op, a, b), ("cond", c, a, b), ("cast", bits, e), ("signed", e), ("call", name, args)."""

_TOKEN = re.compile(
    r"\s+|//[^\n]*|(\d*'s?[hbdo][0-9a-fA-F_xz]+|'[01xz]|\d+|[$A-Za-z_]\w*|<<<|>>>|===|!==|<<|>>|<=|>=|==|!=|&&|\|\||~\^|~&|~\||\+\+|.)", re.DOTALL
)
_LEVELS: list[tuple[str, ...]] = [
    ("||",), ("&&",), ("|",), ("^", "~^"), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>", "<<<", ">>>"), ("+", "-"), ("*", "/", "%"),
]  # fmt: skip
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_REDUCE: dict[str, Callable[[int, int], int]] = {
    "!": lambda v, w: int(v == 0),
    "&": lambda v, w: int(v == (1 << w) - 1),
    "|": lambda v, w: int(v != 0),
    "^": lambda v, w: v.bit_count() & 1,
    "~&": lambda v, w: int(v != (1 << w) - 1),
    "~|": lambda v, w: int(v == 0),
    "~^": lambda v, w: 1 - (v.bit_count() & 1),
}


@dataclass(slots=True)
class Var:
    """A declared name: bits and signedness of it or of each element; `depth` elements of a memory."""

    bits: int
    signed: bool
    depth: int | None = None


@dataclass(slots=True)
class Function:
    result: Var
    params: list[str]
    names: dict[str, Var]
    body: Node
    types: dict[int, tuple[int, bool]] = field(default_factory=dict)


@dataclass(slots=True)
class Module:
    """A parsed module. `comb`: the statement that gives a signal its value; `ff`: the body of `always_ff`; `ports`: (instance, port) -> expression;
    `params`: instance -> parameter -> its text; `types`: id of a node (which lives as long as the module) -> its type, once known."""

    names: dict[str, Var] = field(default_factory=dict)
    comb: dict[str, Node] = field(default_factory=dict)
    ff: Node | None = None
    functions: dict[str, Function] = field(default_factory=dict)
    ports: dict[tuple[str, str], Node] = field(default_factory=dict)
    params: dict[str, dict[str, str]] = field(default_factory=dict)
    types: dict[int, tuple[int, bool]] = field(default_factory=dict)


class Parser:
    """Tokens to nodes. Statements: ("block", [s]), ("if", c, s, s|None), ("case", e, [(labels|None, s)]), ("set", lhs, e), ("nba", lhs, e), ("for",
    name, from, to, s), ("return", e)."""

    def __init__(self, text: str) -> None:
        self.toks = [m[1] for m in _TOKEN.finditer(text) if m[1]]
        self.at = 0

    def peek(self, k: int = 0) -> str:
        return self.toks[self.at + k] if self.at + k < len(self.toks) else ""

    def next(self) -> str:
        self.at += 1
        return self.toks[self.at - 1]

    def accept(self, *words: str) -> bool:
        if tuple(self.toks[self.at : self.at + len(words)]) == words:
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        assert self.accept(*words), (words, self.toks[self.at : self.at + 8])

    # -- expressions

    def expr(self) -> Node:
        c = self.binary(0)
        if self.accept("?"):
            a = self.expr()
            self.expect(":")
            return ("cond", c, a, self.expr())
        return c

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in _LEVELS[level]:
            op = self.next()
            left = ("bin", op, left, self.binary(level + 1))
        return left

    def unary(self) -> Node:
        if self.peek() in ("~", "-", "!", "&", "|", "^", "~&", "~|", "~^", "+"):
            return ("un", self.next(), self.unary())
        return self.primary()

    def items(self, end: str) -> list[Node]:
        out = [self.expr()]
        while self.accept(","):
            out.append(self.expr())
        self.expect(end)
        return out

    def primary(self) -> Node:
        t = self.next()
        if t == "(":
            e = self.expr()
            self.expect(")")
            return e
        if t == "{":
            if self.peek(1) == "{":
                n = int(self.next())
                self.expect("{")
                inner = self.items("}")
                self.expect("}")
                return ("repl", n, inner)
            return ("concat", self.items("}"))
        if t[0].isdigit() or t[0] == "'":
            if "'" in t:
                size, base, digits = re.fullmatch(r"(\d*)'s?([hbdo])(\w+)", t).groups()  # type: ignore[union-attr]
                value = int(digits, {"h": 16, "b": 2, "d": 10, "o": 8}[base])
                bits = int(size or 32)
                return ("num", bits, False, value & (1 << bits) - 1)
            if self.accept("'", "("):
                e = self.expr()
                self.expect(")")
                return ("cast", int(t), e)
            return ("num", 32, True, int(t))
        if t == "$signed":
            self.expect("(")
            e = self.expr()
            self.expect(")")
            return ("signed", e)
        if self.accept("("):
            return ("call", t, self.items(")"))
        if self.accept("["):
            first = self.expr()
            if self.accept(":"):
                last = self.expr()
                self.expect("]")
                return ("slice", t, first, last)
            self.expect("]")
            return ("index", t, first)
        return ("id", t)

    # -- statements

    def statement(self) -> Node:
        if self.accept("begin"):
            out = []
            while not self.accept("end"):
                out.append(self.statement())
            return ("block", out)
        if self.accept("if", "("):
            c = self.expr()
            self.expect(")")
            then = self.statement()
            return ("if", c, then, self.statement() if self.accept("else") else None)
        if self.accept("case", "("):
            e = self.expr()
            self.expect(")")
            arms: list[tuple[list[Node] | None, Node]] = []
            while not self.accept("endcase"):
                if self.accept("default", ":"):
                    arms.append((None, self.statement()))
                else:
                    arms.append((self.items(":"), self.statement()))
            return ("case", e, arms)
        if self.accept("for", "(", "int"):
            name = self.next()
            self.expect("=")
            start = self.expr()
            self.expect(";", name, "<")
            stop = self.expr()
            self.expect(";", name, "++", ")")
            return ("for", name, start, stop, self.statement())
        if self.accept("return"):
            e = self.expr()
            self.expect(";")
            return ("return", e)
        lhs = self.primary()
        kind = "nba" if self.next() == "<=" else "set"
        e = self.expr()
        self.expect(";")
        return (kind, lhs, e)

    # -- modules

    def var(self) -> tuple[str, Var]:
        """`logic [signed] [[h:l]] name [[0:n]]`, after `logic` or `wire`."""
        signed, bits, depth = self.accept("signed"), 1, None
        if self.accept("["):
            hi = self.expr()
            self.expect(":")
            lo = self.expr()
            self.expect("]")
            bits = constant(hi) - constant(lo) + 1
        name = self.next()
        if self.accept("[", "0", ":"):
            depth = constant(self.expr()) + 1
            self.expect("]")
        return name, Var(bits, signed, depth)


def constant(e: Node) -> int:
    """Value of a constant expression of numbers."""
    if e[0] == "num":
        return int(e[3])
    assert e[0] == "bin" and e[1] in "+-", e
    return constant(e[2]) + constant(e[3]) * (1 if e[1] == "+" else -1)


def parse_module(text: str, name: str) -> Module:
    """The module `name` of a generated design."""
    start = text.index(f"module {name}(")
    p = Parser(text[start : text.index("endmodule", start)])
    m = Module()
    p.expect("module", name, "(")
    while not p.accept(";"):
        if p.peek() in ("input", "output"):
            p.next()
            p.expect("logic")
            port, var = p.var()
            m.names[port] = var
        elif p.accept(",") and p.peek() not in ("input", "output"):
            m.names[p.next()] = Var(1, False)
        else:
            p.accept(")")
    while p.at < len(p.toks):
        if p.accept("logic") or p.accept("wire"):
            n, v = p.var()
            m.names[n] = v
            if p.accept("="):
                m.comb[n] = ("set", ("id", n), p.expr())
            p.expect(";")
        elif p.accept("assign"):
            n = p.next()
            p.expect("=")
            m.comb[n] = ("set", ("id", n), p.expr())
            p.expect(";")
        elif p.accept("always_comb"):
            s = p.statement()
            m.comb[_target(s)] = s
        elif p.accept("always_ff"):
            while p.next() != ")":
                pass
            m.ff = p.statement()
        elif p.accept("function", "automatic", "logic"):
            n, result = p.var()
            f = Function(result, [], {}, ("block", []))
            p.expect("(")
            while True:
                p.expect("input", "logic")
                a, v = p.var()
                f.params.append(a)
                f.names[a] = v
                if p.accept(")"):
                    break
                p.expect(",")
            p.expect(";")
            body = []
            while not p.accept("endfunction"):
                if p.accept("logic"):
                    a, v = p.var()
                    f.names[a] = v
                    p.expect(";")
                else:
                    body.append(p.statement())
            f.body = ("block", body)
            m.functions[n] = f
        else:
            _instance(p, m)
    return m


def _instance(p: Parser, m: Module) -> None:
    p.next()
    params: dict[str, str] = {}
    if p.accept("#", "("):
        while True:
            p.expect(".")
            name = p.next()
            p.expect("(")
            params[name] = p.next()
            p.expect(")")
            if p.accept(")"):
                break
            p.expect(",")
    inst = p.next()
    m.params[inst] = params
    p.expect("(")
    while True:
        p.expect(".")
        port = p.next()
        if p.accept("("):
            m.ports[inst, port] = p.expr()
            p.expect(")")
        else:
            m.ports[inst, port] = ("id", port)
        if p.accept(")"):
            break
        p.expect(",")
    p.expect(";")


def _target(s: Node) -> str:
    match s[0]:
        case "block":
            return _target(s[1][0])
        case "case":
            return _target(s[2][0][1])
        case "if":
            return _target(s[2])
    return str(s[1][1])


class _Return(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class Evaluator:
    """Evaluates expressions and statements of a module over known values (`values`: name -> int, or a list for a memory; they are
    not changed)."""

    def __init__(self, module: Module, values: Mapping[str, Any], sign_by_operand: bool = False) -> None:
        self.module = module
        self.values: ChainMap[str, Any] = ChainMap({}, values)  # type: ignore[arg-type]  # only the first map is written to
        self.names = dict(module.names)
        self.types = module.types
        self.by_operand = sign_by_operand
        self.nba: dict[tuple[str, int | None], int] = {}

    def type(self, e: Node) -> tuple[int, bool]:
        """Self-determined size and signedness (§11.6.1, §11.8.1)."""
        found = self.types.get(id(e))
        if found is None:
            found = self.types[id(e)] = self._type(e)
        return found

    def _type(self, e: Node) -> tuple[int, bool]:
        match e[0]:
            case "num":
                return e[1], e[2]
            case "id":
                v = self.names[e[1]]
                return v.bits, v.signed
            case "index":
                v = self.names[e[1]]
                return (v.bits, v.signed) if v.depth is not None else (1, False)
            case "slice":
                return constant(e[2]) - constant(e[3]) + 1, False
            case "concat":
                return sum(self.type(x)[0] for x in e[1]), False
            case "repl":
                return e[1] * sum(self.type(x)[0] for x in e[2]), False
            case "cast":
                return e[1], self.type(e[2])[1]
            case "signed":
                return self.type(e[1])[0], True
            case "call":
                f = self.module.functions[e[1]]
                return f.result.bits, f.result.signed
            case "un":
                return self.type(e[2]) if e[1] in "~-+" else (1, False)
            case "cond":
                (wa, sa), (wb, sb) = self.type(e[2]), self.type(e[3])
                return max(wa, wb), sa and sb
        assert e[0] == "bin", e
        if e[1] in _COMPARE or e[1] in ("&&", "||"):
            return 1, False
        if e[1] in ("<<", ">>", "<<<", ">>>"):
            return self.type(e[2])
        (wa, sa), (wb, sb) = self.type(e[2]), self.type(e[3])
        return max(wa, wb), sa and sb

    def self_determined(self, e: Node) -> int:
        return self.ev(e, *self.type(e))

    def ev(self, e: Node, w: int, s: bool) -> int:
        """Value of `e` as `w` bits in a context of signedness `s`."""
        mask = (1 << w) - 1
        match e[0]:
            case "un" if e[1] in "~-+":
                a = self.ev(e[2], w, s)
                return (~a if e[1] == "~" else -a if e[1] == "-" else a) & mask
            case "cond":
                return self.ev(e[2] if self.self_determined(e[1]) else e[3], w, s)
            case "bin" if e[1] in ("<<", ">>", "<<<", ">>>"):
                a, n = self.ev(e[2], w, s), self.self_determined(e[3])
                if e[1] in ("<<", "<<<"):
                    return a << n & mask if n < w else 0
                return (to_signed(a, w) >> n) & mask if e[1] == ">>>" and s else a >> n
            case "bin" if self.type(e)[0] != 1 or e[1] not in (*_COMPARE, "&&", "||"):
                return self.arith(e[1], self.ev(e[2], w, s), self.ev(e[3], w, s), w, s)
        # An operand whose own value does not depend on the context (§11.8.2).
        own, signed = self.type(e)
        value = self.operand(e) & (1 << own) - 1
        if (signed if self.by_operand else s) and own < w:
            value = to_signed(value, own)
        return value & mask

    @staticmethod
    def arith(op: str, a: int, b: int, w: int, s: bool) -> int:
        mask = (1 << w) - 1
        if op in "/%":
            x, y = (to_signed(a, w), to_signed(b, w)) if s else (a, b)
            assert y, "division by zero gives x"
            q = abs(x) // abs(y) * (-1 if (x < 0) != (y < 0) else 1)
            return (q if op == "/" else x - q * y) & mask
        return {"+": a + b, "-": a - b, "*": a * b, "&": a & b, "|": a | b, "^": a ^ b, "~^": ~(a ^ b)}[op] & mask

    def operand(self, e: Node) -> int:
        match e[0]:
            case "num":
                return int(e[3])
            case "id":
                return int(self.values[e[1]])
            case "index":
                at = self.self_determined(e[2])
                v = self.values[e[1]]
                return int(v[at]) if isinstance(v, list) else v >> at & 1
            case "slice":
                return int(self.values[e[1]]) >> constant(e[3])
            case "concat":
                return self.join(e[1])
            case "repl":
                one, n = self.join(e[2]), sum(self.type(x)[0] for x in e[2])
                return sum(one << i * n for i in range(e[1]))
            case "cast":
                # The value a vector of that size would hold after being assigned the operand (§6.24.1): its size is pushed down.
                return self.assigned(e[2], e[1])
            case "signed":
                return self.self_determined(e[1])
            case "call":
                return self.call(self.module.functions[e[1]], e[2])
            case "un":
                return _REDUCE[e[1]](self.self_determined(e[2]), self.type(e[2])[0])
        assert e[0] == "bin", e
        if e[1] in ("&&", "||"):
            a, b = bool(self.self_determined(e[2])), bool(self.self_determined(e[3]))
            return int(a and b if e[1] == "&&" else a or b)
        (wa, sa), (wb, sb) = self.type(e[2]), self.type(e[3])
        w, s = max(wa, wb), sa and sb
        x, y = self.ev(e[2], w, s), self.ev(e[3], w, s)
        return int(_COMPARE[e[1]](to_signed(x, w), to_signed(y, w)) if s else _COMPARE[e[1]](x, y))

    def join(self, items: list[Node]) -> int:
        value = 0
        for x in items:
            value = value << self.type(x)[0] | self.self_determined(x)
        return value

    def assigned(self, e: Node, bits: int) -> int:
        """Value of `e` assigned to a target of `bits` bits (§10.7)."""
        w, s = self.type(e)
        return self.ev(e, max(w, bits), s) & (1 << bits) - 1

    def call(self, f: Function, args: list[Node]) -> int:
        inner = Evaluator(self.module, {n: 0 for n in f.names}, self.by_operand)
        inner.names, inner.types = dict(f.names), f.types
        for n, a in zip(f.params, args, strict=True):
            inner.values[n] = self.assigned(a, f.names[n].bits)
        try:
            inner.run(f.body)
        except _Return as r:
            return r.value
        raise AssertionError("a function without return")

    def run(self, s: Node | None) -> None:
        """Executes a statement; blocking assignments are seen in `values`, nonblocking ones are collected in `nba` (name, element) -> value."""
        if s is None:
            return
        match s[0]:
            case "block":
                for x in s[1]:
                    self.run(x)
            case "if":
                self.run(s[2] if self.self_determined(s[1]) else s[3])
            case "case":
                self.case(s)
            case "for":
                self.names[s[1]] = Var(32, True)
                for i in range(constant(s[2]), constant(s[3])):
                    self.values[s[1]] = i
                    self.run(s[4])
            case "return":
                raise _Return(self.self_determined(s[1]))
            case _:
                target = s[1][1]
                value = self.assigned(s[2], self.names[target].bits)
                if s[0] == "set":
                    self.values[target] = value
                else:
                    self.nba[target, self.self_determined(s[1][2]) if s[1][0] == "index" else None] = value

    def case(self, s: Node) -> None:
        labels = [x for arm, _ in s[2] for x in arm or ()]
        types = [self.type(s[1]), *map(self.type, labels)]
        w, sign = max(t[0] for t in types), all(t[1] for t in types)
        key = self.ev(s[1], w, sign)
        for arm, body in s[2]:
            if arm is None or any(self.ev(x, w, sign) == key for x in arm):
                self.run(body)
                return


def to_signed(value: int, w: int) -> int:
    """Two's complement reading of w bits."""
    return value - (1 << w) if value >> (w - 1) & 1 else value


def signal_value(module: Module, name: str, values: Mapping[str, Any], sign_by_operand: bool = False) -> int:
    """What the continuous logic that drives `name` computes."""
    ev = Evaluator(module, values, sign_by_operand)
    ev.run(module.comb[name])
    return int(ev.values[name])


def port_value(module: Module, instance: str, port: str, bits: int, values: Mapping[str, Any], sign_by_operand: bool = False) -> int:
    """What an input port of `bits` bits of an instance gets."""
    return Evaluator(module, values, sign_by_operand).assigned(module.ports[instance, port], bits)


def next_state(module: Module, values: Mapping[str, Any], sign_by_operand: bool = False) -> dict[tuple[str, int | None], int]:
    """The nonblocking assignments of one clock edge: (name, element or None) -> value."""
    ev = Evaluator(module, values, sign_by_operand)
    ev.run(module.ff)
    return ev.nba
