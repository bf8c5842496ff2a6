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

from ..sem.mir import Body
from .env import Env
from .generator import Generator


def source(body: Body, env: Env, count: bool = False) -> str:
    """The Python text that `compile_body` executes (for inspection)."""
    return Generator(body, env, count).source(_name(body))


def _name(body: Body) -> str:
    return "f_" + re.sub(r"\W", "_", body.key)[:60]


def compile_body(body: Body, env: Env, count: bool = False) -> Callable[..., Any]:
    """Compiles `body` at once. `count`: executions of each block are counted in `env.block_counts[body.key]` (see `op_counts`)."""
    name = _name(body)
    text = Generator(body, env, count).source(name)
    exec(compile(text, f"<mir {body.key}>", "exec"), env.ns)  # noqa: S102  (text that the generator made; names and literals only)
    fn: Callable[..., Any] = env.ns.pop(name)
    return fn


def lazy(body: Body, env: Env, count: bool = False) -> Callable[..., Any]:
    """Like `compile_body`, but compiles when it is first called. Call the result through the same object: it forwards."""
    compiled: Callable[..., Any] | None = None

    def first(*args: Any) -> Any:
        nonlocal compiled
        if compiled is None:
            compiled = compile_body(body, env, count)
        return compiled(*args)

    return first


def op_counts(body: Body, env: Env) -> Counter[str]:
    """Exact number of executed operations by code, from the block counters of a body compiled with `count=True`."""
    out: Counter[str] = Counter()
    for block, n in zip(body.blocks, env.block_counts.get(body.key, ()), strict=False):
        for op in block.ops:
            out[op.code] += n
    return out
