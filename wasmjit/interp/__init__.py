"""Tier 0: executes MIR bodies as generated Python functions over the linear memory of a run."""

from .compiler import compile_body, lazy, op_counts, source
from .env import NO_SITE, Env, SimFault

__all__ = ["NO_SITE", "Env", "SimFault", "compile_body", "lazy", "op_counts", "source"]
