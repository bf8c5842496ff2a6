"""The log of a generated design (`shared/designs/random`), computed from its SystemVerilog text clock by clock, without a simulator.

The two modules are evaluated by `sv_eval`; what their testbench does (reset for three clocks, a shift register as stimulus, 40 lines of output) is
written out here. Values are two-state, which is exact from the first clock of the reset on.
"""

from __future__ import annotations

import re
from typing import Any

from tests.support.sv_eval import Module, next_state, parse_module, port_value, signal_value

CLOCKS_IN_RESET = 3


def leaf_module(text: str, params: dict[str, str]) -> Module:
    """The module `leaf` with its parameters put in."""
    body = re.sub(r"module leaf #\(.*?\) \(", "module leaf(", text[text.index("module leaf") : text.index("module core")], count=1)
    for name, value in params.items():
        body = re.sub(rf"\b{name}\b", value, body)
    return parse_module(body, "leaf")


class _Values(dict[str, Any]):
    """Registers and inputs by name; wires are computed when they are read."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.state)
        self.model = model

    def __missing__(self, name: str) -> Any:
        value = self.model.wire(name, self)
        self[name] = value
        return value


class Model:
    """Registers of a design and what follows from them. `sign_by_operand`: see `sv_eval`."""

    def __init__(self, text: str, sign_by_operand: bool = False) -> None:
        self.core = parse_module(text, "core")
        self.by_operand = sign_by_operand
        self.leaves = {inst: leaf_module(text, params) for inst, params in self.core.params.items()}
        self.shift = dict.fromkeys(self.leaves, 0)
        self.state: dict[str, Any] = {"clk": 0}
        for name, var in self.core.names.items():
            if var.depth is not None:
                self.state[name] = [0] * var.depth
            elif re.fullmatch(r"r\d+", name):
                self.state[name] = 0

    def leaf(self, inst: str, values: _Values) -> dict[str, Any]:
        """Values inside of a leaf."""
        got: dict[str, Any] = {"s": self.shift[inst], "rst": values["rst"]}
        for port in ("en", "d"):
            got[port] = port_value(self.core, inst, port, self.leaves[inst].names[port].bits, values, self.by_operand)
        return got

    def wire(self, name: str, values: _Values) -> int:
        if name in self.core.comb:
            return signal_value(self.core, name, values, self.by_operand)
        for inst, module in self.leaves.items():
            for port in ("q", "p"):
                if self.core.ports[inst, port] == ("id", name):
                    inside = {"s": self.shift[inst]} if port == "p" else self.leaf(inst, values)
                    return signal_value(module, port, inside, self.by_operand)
        raise KeyError(name)

    def clock(self) -> None:
        """One rising edge."""
        values = _Values(self)
        leaves = {inst: next_state(m, self.leaf(inst, values), self.by_operand) for inst, m in self.leaves.items()}
        changes = next_state(self.core, values, self.by_operand)
        for (name, index), value in changes.items():
            if index is None:
                self.state[name] = value
            else:
                self.state[name] = [value if i == index else old for i, old in enumerate(self.state[name])]
        for inst, change in leaves.items():
            self.shift[inst] = change.get(("s", None), self.shift[inst])

    def digest(self) -> int:
        return int(_Values(self)["digest"])


def expected_log(text: str, sign_by_operand: bool = False) -> str:
    """What the design prints."""
    period = re.search(r"always #(\d+) clk", text)
    seed = re.search(r"stim = 32'h(\w+);", text)
    loop = re.search(r"i < (\d+); i\+\+\) begin repeat \((\d+)\) @\(posedge clk\); #1", text)
    assert period is not None and seed is not None and loop is not None
    half = int(period[1])
    model = Model(text, sign_by_operand)
    stim, n, clocks, lines = int(seed[1], 16), 0, 0, []

    def step() -> None:
        nonlocal stim, n
        stim = (stim << 1 | (stim >> 31 ^ stim >> 21 ^ stim >> 1 ^ stim) & 1) & 0xFFFFFFFF
        n += 1
        model.state["stim"] = stim

    def run(count: int) -> None:
        nonlocal clocks
        for k in range(count):
            if k:
                step()
            model.clock()
            clocks += 1

    clocks += 1  # the first edge is before the reset
    step()
    model.state["rst"] = 1
    run(CLOCKS_IN_RESET)
    lines.append(f"rst  {model.digest():016x}")
    model.state["rst"] = 0
    for _ in range(int(loop[1])):
        step()
        run(int(loop[2]))
        lines.append(f"{(2 * clocks - 1) * half + 1} {model.digest():016x} {n}")
    lines.append(f"done {model.digest():064b}")
    return "\n".join(lines) + "\n"
