"""Child process of the FST reader: libfst turns a file into VCD on standard output.

A damaged FST file can make libfst crash, loop or allocate without bound. In a process of its own, with limits on CPU time and address space,
that costs an error message and nothing else. Imports nothing of wasmjit, so that it starts fast.

Output: a line `R N`, then N bytes of records (u32 handle, u64 time, f64 value; little endian) with the changes of all real variables, which
libfst's VCD text would round, then VCD with everything else.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any

from pylibfst import ffi, fstReaderIterBlocks, lib  # type: ignore[import-untyped]

_REALS = frozenset({lib.FST_VT_VCD_REAL, lib.FST_VT_VCD_REAL_PARAMETER, lib.FST_VT_VCD_REALTIME, lib.FST_VT_SV_SHORTREAL})


def limit(cpu_s: int, memory_bytes: int) -> None:
    """Bound this process where the platform can."""
    try:
        import resource
    except ImportError:  # not on Windows; the parent still bounds the output
        return
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def real_handles(ctx: Any) -> set[int]:
    """Handles of the real variables."""
    found: set[int] = set()
    lib.fstReaderIterateHierRewind(ctx)
    while (entry := lib.fstReaderIterateHier(ctx)) != ffi.NULL:
        if entry.htyp == lib.FST_HT_VAR and entry.u.var.typ in _REALS:
            found.add(entry.u.var.handle)
    return found


def real_changes(ctx: Any, handles: set[int]) -> bytes:
    """Records of all changes of these handles."""
    records = bytearray()
    pack = struct.Struct("<IQd").pack

    def change(_data: Any, time: int, handle: int, value: Any) -> None:
        records.extend(pack(handle, time, ffi.cast("double *", value)[0]))

    lib.fstReaderClrFacProcessMaskAll(ctx)
    for handle in handles:
        lib.fstReaderSetFacProcessMask(ctx, handle)
    lib.fstReaderIterBlocksSetNativeDoublesOnCallback(ctx, 1)
    fstReaderIterBlocks(ctx, change)
    return bytes(records)


def main(argv: list[str]) -> int:
    """argv: path, CPU seconds, address-space bytes. Exit status 0, or 2 when libfst refuses the file."""
    limit(int(argv[2]), int(argv[3]))
    ctx = lib.fstReaderOpen(os.fsencode(argv[1]))
    if ctx == ffi.NULL:
        sys.stderr.write("libfst does not recognise the file\n")
        return 2
    handles = real_handles(ctx)
    reals = real_changes(ctx, handles) if handles else b""
    out = sys.stdout.buffer
    out.write(b"R %d\n" % len(reals) + reals)
    out.flush()
    # Extensions keep `string` variables and their values.
    lib.fstReaderSetVcdExtensions(ctx, 1)
    if not lib.fstReaderProcessHier(ctx, out):
        sys.stderr.write("libfst cannot read the hierarchy\n")
        return 2
    lib.fstReaderSetFacProcessMaskAll(ctx)
    for handle in handles:
        lib.fstReaderClrFacProcessMask(ctx, handle)
    if not lib.fstReaderIterBlocks(ctx, ffi.NULL, ffi.NULL, out):
        sys.stderr.write("libfst cannot read the value changes\n")
        return 2
    end = lib.fstReaderGetEndTime(ctx)
    lib.fstReaderClose(ctx)
    out.write(b"\n#%d\n" % end)
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
