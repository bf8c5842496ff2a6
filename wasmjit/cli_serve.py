"""`wasmjit serve`: the dashboard in the browser."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    p = subparsers.add_parser("serve", help="the dashboard in the browser", description="Serve the dashboard over a directory of recorded runs (wasmjit run --record).")
    p.add_argument("runs", nargs="?", default="", metavar="RUNS", help="directory of recorded runs ($WASMJIT_RUNS, else ./runs)")
    p.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on; other than loopback needs --token (127.0.0.1)")
    p.add_argument("--port", type=int, default=8787, metavar="N", help="port (8787)")
    p.add_argument("--token", metavar="TEXT", help="what browsers must present")
    p.add_argument("--designs", metavar="DIR", help="designs below this directory may be started from the page")


def run(a: argparse.Namespace) -> int:
    """Serve until Ctrl-C; 2 when the address cannot be used."""
    from wasmjit.report.record import runs_directory

    try:
        # The server is a package of its own; the simulator works without it.
        server = importlib.import_module("wasmjit_api.main")
    except ModuleNotFoundError as e:
        print(f"[wasmjit] Error: the dashboard is not installed ({e}); pip install fastapi uvicorn", file=sys.stderr)
        return 2
    runs = runs_directory(a.runs)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        server.serve(runs, host=a.host, port=a.port, token=a.token, designs_dir=a.designs)
    except (ValueError, OSError) as e:
        print(f"[wasmjit] Error: {e}", file=sys.stderr)
        return 2
    except SystemExit as e:
        # uvicorn has said why it cannot listen.
        return 2 if e.code else 0
    return 0
