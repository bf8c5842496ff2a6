"""Functions of the runtime library that are compiled with the kernel (`wasmjit.sched.library`): their declarations.

Code calls them directly. What is registered here serves the host itself, and declarations that cannot be adapted, which fault with a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wasmjit.runtime.moore.declarations import COMPILED
from wasmjit.runtime.services import Runtime, service


def _through(name: str) -> Callable[..., Any]:
    def call(rt: Runtime, *leaves: Any) -> Any:
        return rt.library(name, *leaves)

    return call


for _name, (_params, _results) in COMPILED.items():
    service(_name, _params, _results)(_through(_name))
