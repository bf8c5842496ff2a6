"""Waveforms: hierarchy, windows, values, edges, search, comparison."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response
from wasmjit_api import models
from wasmjit_api.context import Context, Limit, Offset, RunId, SignalId, Time
from wasmjit_api.errors import ApiError, documented, json_response
from wasmjit_api.waves.build import WaveFileError, canonical_bits
from wasmjit_api.waves.diff import match_signals, paths_of
from wasmjit_api.waves.index import WaveIndex

Pixels = Annotated[int, Query(ge=1, le=8192, description="columns of the picture")]
SignalList = Annotated[str, Query(max_length=8000, pattern=r"^([0-9]{1,9}(,[0-9]{1,9}){0,399})?$", description="signal numbers, separated by commas; at most 400")]
_STATES = documented(404, 409)


def _numbers(text: str, index: WaveIndex) -> list[int]:
    numbers = [int(part) for part in text.split(",") if part]
    for number in numbers:
        _check(number, index)
    return numbers


def _check(number: int, index: WaveIndex) -> int:
    if number >= len(index.signals):
        raise ApiError(404, f"no signal number {number}; the waveform has {len(index.signals)}")
    return number


def canonical_value(text: str) -> str | None:
    """The pool's spelling of a value somebody typed: 0x1f, 'hff, 0b101x, 42, xx or a real; None for 0xg and the like."""
    word = text.strip().lower().replace("_", "")
    try:
        if word.startswith(("0x", "'h")):
            digits = "".join("xxxx" if c == "x" else "zzzz" if c == "z" else f"{int(c, 16):04b}" for c in word[2:])
            return canonical_bits(digits.encode()).decode()
        if word.startswith(("0b", "'b")):
            return canonical_bits(word[2:].encode()).decode()
        if word.isdecimal():
            return f"{int(word):b}"
        if word and not word.strip("xz01"):
            return canonical_bits(word.encode()).decode()
    except (ValueError, WaveFileError):
        return None
    return text.strip()


def router(ctx: Context) -> APIRouter:
    """Routes below /api/runs/{run_id}/waves and /api/compare."""
    api = APIRouter(prefix="/api", tags=["waves"])

    @api.get("/runs/{run_id}/waves", response_model=None, responses={200: {"model": models.WaveState}, **documented(404)})
    def state(
        run_id: RunId, signature: Annotated[str | None, Query(max_length=80, description="of an earlier answer: a dump that has grown since is still ready")] = None,
    ) -> Response:
        """Whether the waveform is ready; the first request starts indexing it."""
        return json_response({"ok": True, **ctx.waves.state(run_id, signature)})

    @api.get("/runs/{run_id}/waves/tree", response_model=None, responses={200: {"model": models.Tree}, **_STATES})
    def tree(run_id: RunId) -> Response:
        """The hierarchy: scopes [name, kind, parent], vars [name, kind, width, signal, scope, left, right]."""
        meta = ctx.waves.open(run_id).meta
        return json_response({"ok": True, **{key: meta[key] for key in ("scopes", "vars", "t_begin", "t_end", "changes", "format", "scale_fs", "comment")}})

    @api.get("/runs/{run_id}/waves/signals", response_model=None, responses={200: {"model": models.Signals}, **_STATES})
    def signals(
        run_id: RunId,
        q: Annotated[str, Query(max_length=200, description="part of the hierarchical name")] = "",
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """A page of hierarchical names, for scripts; the page itself searches the tree."""
        index = ctx.waves.open(run_id)
        needle = q.lower()
        rows = [{"name": name, "signal": number, "width": index.signals[number][4]} for name, number in paths_of(index).items() if needle in name.lower()]
        return json_response({"ok": True, "signals": rows[offset : offset + limit], "total": len(rows), "limit": limit, "offset": offset})

    @api.get("/runs/{run_id}/waves/window", response_model=None, responses={200: {"model": models.Window}, **_STATES})
    def window(
        run_id: RunId, t0: Time, t1: Time, px: Pixels = 1000, s: SignalList = "", analog: SignalList = "",
        full: Annotated[bool, Query(description="texts of values that are too narrow to be read, too")] = False,
    ) -> Response:
        """What rows show of [t0, t1], down-sampled to `px` columns.

        A row of `s`: times `t` and values `v` that hold from there on; an integer value is a stretch with several changes per pixel:
        1..7 = log2 of the changes per pixel, plus 16 when x or z occurs; 32 = a known value too narrow to be read (without `full`). A row of `analog` has `lo`, `hi` and the last number `v` per column.
        """
        index = ctx.waves.open(run_id)
        t1 = max(t1, t0 + 1)
        rows: list[dict[str, Any]] = [index.window(number, t0, t1, px, full) for number in _numbers(s, index)]
        rows += [{**index.analog(number, t0, t1, px), "analog": True} for number in _numbers(analog, index)]
        return json_response({"ok": True, "t0": t0, "t1": t1, "px": px, "rows": rows})

    @api.get("/runs/{run_id}/waves/values", response_model=None, responses={200: {"model": models.Values}, **_STATES})
    def values(run_id: RunId, t: Time, s: SignalList = "") -> Response:
        """Values at a time; null before the first sample."""
        index = ctx.waves.open(run_id)
        return json_response({"ok": True, "t": t, "values": {str(n): index.value_at(n, t) for n in _numbers(s, index)}})

    @api.get("/runs/{run_id}/waves/edge", response_model=None, responses={200: {"model": models.Found}, **_STATES})
    def edge(
        run_id: RunId, s: SignalId, t: Time, direction: Literal["next", "previous", "nearest"] = "next", kind: Literal["any", "rise", "fall"] = "any",
    ) -> Response:
        """Time of an edge of a signal; null if there is none."""
        index = ctx.waves.open(run_id)
        _check(s, index)
        found = index.nearest_edge(s, t) if direction == "nearest" else index.edge(s, t, direction == "next", kind)
        return json_response({"ok": True, "t": found})

    @api.get("/runs/{run_id}/waves/find", response_model=None, responses={200: {"model": models.Found}, **_STATES})
    def find(
        run_id: RunId,
        s: SignalId,
        t: Time,
        value: Annotated[str, Query(min_length=1, max_length=2000, description="42, 0x2a, 0b10x1, x or z")],
        direction: Literal["next", "previous"] = "next",
    ) -> Response:
        """Time of the next or previous change of a signal to a value; null if there is none."""
        index = ctx.waves.open(run_id)
        _check(s, index)
        wanted = canonical_value(value)
        if wanted is None:
            return json_response({"ok": True, "t": None, "hint": f"{value[:40]!r} is not a value: write 42, 0x2a, 0b10x1, x or z"})
        return json_response({"ok": True, "t": index.find_value(s, t, direction == "next", wanted)})

    @api.get("/runs/{run_id}/waves/activity", response_model=None, responses={200: {"model": models.Activity}, **_STATES})
    def activity(run_id: RunId, px: Annotated[int, Query(ge=1, le=2048)] = 600, s: SignalList = "") -> Response:
        """Changes per column over the whole run, for the minimap."""
        index = ctx.waves.open(run_id)
        return json_response({"ok": True, "columns": index.activity(px, index.t_begin, max(index.t_end, index.t_begin + 1), _numbers(s, index))})

    @api.get("/compare/{run_a}/{run_b}", response_model=None, responses={200: {"model": models.Comparison}, **documented(404, 409)})
    def compare(run_a: RunId, run_b: RunId) -> Response:
        """Compare two waveforms over the whole run; ask again while the state is `indexing`."""
        for run_id in (run_a, run_b):
            ctx.store.directory(run_id)
        return json_response({"ok": True, **ctx.waves.comparison(run_a, run_b)})

    @api.get("/compare/{run_a}/{run_b}/match", response_model=None, responses={200: {"content": {"application/json": {}}}, **_STATES})
    def match(run_a: RunId, run_b: RunId) -> Response:
        """Signals of both runs by name: {name: [number in A, number in B]}."""
        common, only_a, only_b = match_signals(ctx.waves.open(run_a), ctx.waves.open(run_b))
        return json_response({"ok": True, "common": common, "only_a": only_a, "only_b": only_b})

    @api.get("/runs/{run_id}/driver", response_model=None, responses={200: {"model": models.Driver}, **documented(404)})
    def driver(run_id: RunId, signal: Annotated[str, Query(min_length=1, max_length=2000, description="hierarchical name")], t: Time) -> Response:
        """What drove a signal last before a time, with its tier at that moment; then what else drives it."""
        return json_response({"ok": True, "signal": signal, **ctx.drivers.of(run_id, signal, t)})

    return api
