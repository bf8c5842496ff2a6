"""Severity tasks (IEEE 1800-2023 §20.10), UVM reports, `$system`."""

from __future__ import annotations

import subprocess

from wasmjit.runtime.services import M32, Runtime, s32, service, string_at, string_value


def _severity(rt: Runtime, level: str, label: bytes, message: int) -> None:
    """Counts; prints the message when there is one (the front end usually prints it itself and passes null)."""
    rt.severity(level)
    if message:
        rt.out(label + b": " + string_at(rt, message) + b"\n")


@service("__moore_info", "p")
def info(rt: Runtime, message: int) -> None:
    _severity(rt, "info", b"Info", message)


@service("__moore_warning", "p")
def warning(rt: Runtime, message: int) -> None:
    _severity(rt, "warning", b"Warning", message)


@service("__moore_error", "p")
def error(rt: Runtime, message: int) -> None:
    _severity(rt, "error", b"Error", message)


@service("__moore_fatal", "ip")
def fatal(rt: Runtime, code: int, message: int) -> None:
    _severity(rt, "fatal", b"Fatal", message)
    rt.finish(1)


def _uvm(rt: Runtime, level: str, severity: bytes, *leaves: int) -> None:
    """`UVM_INFO file(line) @ time: context [id] message`, as the UVM report server prints it."""
    id_ptr, id_len, msg_ptr, msg_len, _verbosity, file_ptr, file_len, line, ctx_ptr, ctx_len = leaves
    rt.severity(level)
    file = string_value(rt, file_ptr, file_len)
    context = string_value(rt, ctx_ptr, ctx_len) or b"reporter"
    where = file + b"(%d) " % s32(line) if file else b""
    head = severity + b" " + where + b"@ %d: " % (rt.now_fs // 10 ** max(0, rt.time_precision + 15))
    rt.out(head + context + b" [" + string_value(rt, id_ptr, id_len) + b"] " + string_value(rt, msg_ptr, msg_len) + b"\n")


@service("__moore_uvm_report_info", "plpliplipl")
def uvm_report_info(rt: Runtime, *leaves: int) -> None:
    _uvm(rt, "info", b"UVM_INFO", *leaves)


@service("__moore_uvm_report_warning", "plpliplipl")
def uvm_report_warning(rt: Runtime, *leaves: int) -> None:
    _uvm(rt, "warning", b"UVM_WARNING", *leaves)


@service("__moore_uvm_report_error", "plpliplipl")
def uvm_report_error(rt: Runtime, *leaves: int) -> None:
    _uvm(rt, "error", b"UVM_ERROR", *leaves)


@service("__moore_uvm_report_fatal", "plpliplipl")
def uvm_report_fatal(rt: Runtime, *leaves: int) -> None:
    """UVM ends the simulation after a fatal report."""
    _uvm(rt, "fatal", b"UVM_FATAL", *leaves)
    rt.finish(1)


@service("__moore_system", "p", "i")
def system(rt: Runtime, command: int) -> int:
    """`$system`: refused (result -1) unless the run allows it."""
    line = string_at(rt, command)
    if not rt.allow_system:
        rt.warn(f"$system({line[:80].decode('utf-8', 'replace')!r}) refused: host commands are off")
        return M32
    done = subprocess.run(["/bin/sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    rt.out(done.stdout)
    return done.returncode & M32
