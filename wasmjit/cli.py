"""The `wasmjit` command. Subcommands live in modules of their own and are imported when used."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Any

from wasmjit import __version__

BUG = 70

COMMANDS = {
    "run": "simulate a design",
    "parity": "run interpret and compile mode, compare everything, write a bundle",
    "suite": "run a downstream suite in one or both modes, write a bundle",
    "serve": "the dashboard in the browser",
    "inspect": "hierarchy, processes, operations, what compiles and what not",
    "waves": "compare, inspect and convert VCD and FST files",
    "report": "summarise and gate JSON reports",
    "bench": "speed ratios against the simulators found on PATH",
}


class Parser(argparse.ArgumentParser):
    """Wrong command lines end with status 2 and name the option."""

    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        print(f"wasmjit: error: {message}", file=sys.stderr)
        raise SystemExit(2)


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen subcommand's module is imported (all of them for --help)."""
    parser = Parser(prog="wasmjit", description="A simulator for CIRCT designs that compiles to WebAssembly.")
    parser.add_argument("--version", action="version", version=f"wasmjit {__version__}")
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, text in COMMANDS.items():
        if name == command:
            importlib.import_module(f"wasmjit.cli_{name}").add_parser(sub)
        else:
            sub.add_parser(name, help=text, add_help=False)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status of interface.md."""
    args = list(sys.argv[1:] if argv is None else argv)
    command = next((a for a in args if not a.startswith("-")), None)
    plus: list[str] = []
    if command in ("run", "parity"):
        # argparse wants positional arguments together; plusargs may stand anywhere.
        plus = [a for a in args if a.startswith("+")]
        args = [a for a in args if not a.startswith("+")]
    parser = build_parser(command if command in COMMANDS else None)
    if not args:
        parser.print_help(sys.stderr)
        return 2
    try:
        options = parser.parse_args(args)
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 2
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    # Scripts written for circt-sim hand plusargs over in CIRCT_UVM_ARGS; those of the command line come first.
    if os.environ.get("CIRCT_UVM_ARGS"):
        import shlex

        plus += [a for a in shlex.split(os.environ["CIRCT_UVM_ARGS"]) if a.startswith("+")]
    options.plusargs = [a[1:] for a in plus]
    module = importlib.import_module(f"wasmjit.cli_{options.command}")
    try:
        return int(module.run(options))
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("[wasmjit] interrupted", file=sys.stderr)
        return 130
    except Exception:  # noqa: BLE001  (the last line of defence: a bug of ours is reported as one)
        return internal_error(args + plus)


def internal_error(args: list[str]) -> int:
    """Status 70: say so, and leave what is needed to reproduce it."""
    import shlex
    import tempfile
    import traceback

    text = traceback.format_exc()
    with tempfile.NamedTemporaryFile("w", prefix="wasmjit-crash-", suffix=".txt", delete=False, errors="surrogateescape") as f:
        f.write(f"wasmjit {__version__}\ncommand: wasmjit {shlex.join(args)}\ndirectory: {os.getcwd()}\n\n{text}")
    print(f"[wasmjit] Error: internal error: {text.strip().splitlines()[-1]}", file=sys.stderr)
    print(f"[wasmjit] Please report this with the design and {f.name}", file=sys.stderr)
    return BUG


if __name__ == "__main__":
    sys.exit(main())
