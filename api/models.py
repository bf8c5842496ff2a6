"""Bodies of answers, for the OpenAPI description. Times are fs (simulation) or ns/ms (wall clock), as the names say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from wasmjit_api.config import MAX_TIME


class Open(BaseModel):
    """A body that may gain keys."""

    model_config = ConfigDict(extra="allow")
    ok: bool = True


class Run(BaseModel):
    """One recorded run."""

    model_config = ConfigDict(extra="allow")
    id: str
    kind: str = Field(description="run, parity or upload")
    design: str
    mode: str
    status: str | None = Field(description="running, finished or aborted")
    verdict: str = Field(description="pass, fail, limit, error, different or running")
    exit_code: int | None
    created: str | None
    final_time_fs: int
    run_wall_ms: float
    deopts_total: int
    tier_mix: dict[str, float]
    coverage: float | None
    commit: str | None


class RunPage(Open):
    runs: list[Run]
    total: int
    limit: int
    offset: int
    facets: dict[str, list[str]]


class RunBody(Open):
    run: Run
    waves: dict[str, Any]
    has: dict[str, bool] = Field(description="which parts the run has: design, log, report, wat")


class Deleted(Open):
    deleted: str


class Status(Open):
    version: str
    runs_dir: str
    runs: int
    launch: dict[str, Any]
    failure: str | None


class Deopt(BaseModel):
    model_config = ConfigDict(extra="allow")
    seq: int
    kind: str
    reason: str
    detail: str
    process_id: int
    process: str
    time_fs: int
    delta: int
    wall_ns: int
    cost_ns: int
    frame: list[dict[str, str]]


class DeoptPage(Open):
    deopts: list[Deopt]
    total: int
    limit: int
    offset: int


class DeoptBody(Open):
    deopt: Deopt
    reason: dict[str, Any]


class Timeline(Open):
    processes: list[dict[str, Any]]
    events: list[dict[str, Any]]
    cut: bool
    end_fs: int
    end_ns: int


class Reasons(Open):
    reasons: list[dict[str, Any]]


class Source(Open):
    name: str
    first: int
    lines: list[str]
    total: int


class Wat(Open):
    body: str
    text: str
    module: int
    cause: str
    versions: int


class BurnDown(Open):
    causes: list[dict[str, Any]]
    trend: list[dict[str, Any]]
    runs: int
    allow: dict[str, Any]


class LogPage(Open):
    lines: list[dict[str, Any]]
    total: int
    first: int
    hits: list[int]


class WaveState(Open):
    state: Literal["none", "indexing", "ready", "error"]


class Tree(Open):
    scopes: list[list[Any]]
    vars: list[list[Any]]
    t_begin: int
    t_end: int


class Window(Open):
    t0: int
    t1: int
    px: int
    rows: list[dict[str, Any]]


class Values(Open):
    t: int
    values: dict[str, str | None]


class Found(Open):
    t: int | None


class Activity(Open):
    columns: list[int]


class Signals(Open):
    signals: list[dict[str, Any]]
    total: int
    limit: int
    offset: int


class Comparison(Open):
    state: Literal["indexing", "ready"]


class Driver(Open):
    signal: str
    drivers: list[dict[str, Any]]
    source: str
    exact: bool
    changed_fs: int | None


class Designs(Open):
    designs: list[dict[str, Any]]


class Launched(Open):
    pid: int


class Uploaded(Open):
    id: str


class LaunchRequest(BaseModel):
    """A run to start."""

    model_config = ConfigDict(extra="forbid")
    design: str = Field(min_length=1, max_length=1000, description="path below the configured folder, from GET /api/designs")
    mode: Literal["interpret", "compile"] = "compile"
    plusargs: list[Annotated[str, Field(pattern=r"^\+[!-~]{1,400}$")]] = Field(default_factory=list, max_length=32, description="+name or +name=value")
    max_time_fs: int | None = Field(None, ge=1, le=MAX_TIME)
    hot_threshold: int | None = Field(None, ge=0, le=1_000_000_000)
    force_deopt: str | None = Field(None, max_length=200, pattern=r"^(all|every:[0-9]{1,9}|process:[A-Za-z0-9_.$/-]{1,150})$")
