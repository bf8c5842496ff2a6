"""Child process of the FST reader: libfst turns the file named in argv[1] into VCD on standard output.

A damaged FST file can make libfst crash, loop or allocate without bound. In a process of its own, with limits on CPU time and address space,
that costs an error message and nothing else. Imports nothing of wasmjit, so that it starts fast.
"""

from __future__ import annotations

import os
import sys

from pylibfst import ffi, lib


def limit(cpu_s: int, memory_bytes: int) -> None:
    """Bound this process where the platform can."""
    try:
        import resource
    except ImportError:  # not on Windows; the parent still bounds the output
        return
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(argv: list[str]) -> int:
    """argv: path, CPU seconds, address-space bytes. Exit status 0, or 2 when libfst refuses the file."""
    limit(int(argv[2]), int(argv[3]))
    ctx = lib.fstReaderOpen(os.fsencode(argv[1]))
    if ctx == ffi.NULL:
        sys.stderr.write("libfst does not recognise the file\n")
        return 2
    # Extensions keep `string` variables and their values.
    lib.fstReaderSetVcdExtensions(ctx, 1)
    out = sys.stdout.buffer
    if not lib.fstReaderProcessHier(ctx, out):
        sys.stderr.write("libfst cannot read the hierarchy\n")
        return 2
    lib.fstReaderSetFacProcessMaskAll(ctx)
    if not lib.fstReaderIterBlocks(ctx, ffi.NULL, ffi.NULL, out):
        sys.stderr.write("libfst cannot read the value changes\n")
        return 2
    end = lib.fstReaderGetEndTime(ctx)
    lib.fstReaderClose(ctx)
    out.write(f"\n$comment end {end} $end\n".encode())
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
