"""Speed against other simulators on the same machine in the same minutes: `wasmjit bench`."""

from __future__ import annotations
