"""verif.has_been_reset: 0 from the start until a reset has been seen and has ended (CIRCT's Verif dialect). It becomes a register that remembers the reset."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Block, Op, Value
from wasmjit.ir import types as T


def rewrite_resets(body: Block) -> None:
    """Replace the operations of a module body. A synchronous reset is seen at a clock edge, an asynchronous one at once."""
    for op in [o for o in body.ops if o.name == "verif.has_been_reset"]:
        clock, reset = op.operands

        def put(name: str, operands: list[Value], attrs: dict[str, Any], t: T.Type, op: Op = op) -> Value:
            made = Op(name, operands, attrs, pos=op._pos, src=op._src, parent=body, sloc=op._sloc)
            made.results = [Value(t, made, 0, "")]
            body.ops.insert(body.ops.index(op), made)
            return made.results[0]

        true = put("hw.constant", [], {"value": 1}, T.I1)
        edge = put("seq.to_clock", [clock], {}, T.CLOCK)
        attrs = {"preset": 0, "isAsync": True} if op.attrs.get("async") else {"preset": 0}
        seen = put("seq.firreg", [true, edge, *([reset, true] if op.attrs.get("async") else [])], attrs, T.I1)
        assert isinstance(seen.owner, Op)
        seen.owner.operands[0] = seen if op.attrs.get("async") else put("comb.or", [seen, reset], {}, T.I1)
        over = put("comb.xor", [reset, true], {}, T.I1)
        end = Op("comb.and", [seen, over], {}, pos=op._pos, src=op._src, parent=body, sloc=op._sloc, results=op.results)
        end.results[0].owner = end
        body.ops[body.ops.index(op)] = end
