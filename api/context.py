"""What the routes share, made once per server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path as PathParameter
from fastapi import Query
from wasmjit_api.code import CodeTexts
from wasmjit_api.config import MAX_TIME, Settings
from wasmjit_api.drivers import Drivers
from wasmjit_api.events import Hub
from wasmjit_api.launch import Launcher
from wasmjit_api.logs import LogCache
from wasmjit_api.store import RunStore
from wasmjit_api.waves.service import WaveService

RunId = Annotated[str, PathParameter(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of a run")]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows of the page")]
Offset = Annotated[int, Query(ge=0, le=2**40, description="rows before the page")]
Time = Annotated[int, Query(ge=0, le=MAX_TIME, description="simulation time, fs")]
SignalId = Annotated[int, Query(ge=0, lt=2**31, description="number of a signal, from the tree")]


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running server."""

    settings: Settings
    store: RunStore
    waves: WaveService
    code: CodeTexts
    drivers: Drivers
    logs: LogCache
    hub: Hub
    launcher: Launcher
