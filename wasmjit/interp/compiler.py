"""Tier 0: turns MIR bodies into Python functions.

```python
fn = lazy(body, env)       # compiled at its first call
fn(ctx, frame)             # process, coroutine -> status;  region: fn(ctx);  function: fn(*leaves) -> tuple
```
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..sem.loops import headers
from ..sem.mir import Body
from .env import Env
from .generator import Generator


def source(body: Body, env: Env, count: bool = False) -> str:
    """The Python text that `compile_body` executes (for inspection)."""
    return Generator(body, env, count).source(_name(body))


def _name(body: Body) -> str:
    return "f_" + re.sub(r"\W", "_", body.key)[:60]


def compile_body(body: Body, env: Env, count: bool = False, compact: bool = False) -> Callable[..., Any]:
    """Compiles `body` at once. `count`: executions of each block are counted in `env.block_counts[body.key]` (see `op_counts`).

    `compact`: compiles in half the time, runs slower.
    """
    name = _name(body)
    text = Generator(body, env, count, compact).source(name)
    exec(compile(text, f"<mir {body.key}>", "exec"), env.ns)  # noqa: S102  (text that the generator made; names and literals only)
    fn: Callable[..., Any] = env.ns.pop(name)
    return fn


REPEATS = 40
"""Calls of a body in compact form before it is compiled again: most bodies of a class library run once or twice."""


def lazy(body: Body, env: Env, count: bool = False, replaced: Callable[[Callable[..., Any]], None] | None = None) -> Callable[..., Any]:
    """Like `compile_body`, but compiles when it is first called: without loops in compact form until it has been called `REPEATS` times.

    Call the result through the same object: it forwards. `replaced` is told what to call instead from some time on.
    """
    compiled: Callable[..., Any] | None = None
    left = 0

    def first(*args: Any) -> Any:
        nonlocal compiled, left
        if compiled is None:
            left = 0 if headers(body) else REPEATS
            compiled = compile_body(body, env, count, compact=left > 0)
        elif left:
            left -= 1
            if left:
                return compiled(*args)
            compiled = compile_body(body, env, count)
        else:
            return compiled(*args)
        if not left and replaced is not None:
            replaced(compiled)
        return compiled(*args)

    return first


def op_counts(body: Body, env: Env) -> Counter[str]:
    """Exact number of executed operations by code, from the block counters of a body compiled with `count=True`."""
    out: Counter[str] = Counter()
    for block, n in zip(body.blocks, env.block_counts.get(body.key, ()), strict=False):
        for op in block.ops:
            out[op.code] += n
    return out
