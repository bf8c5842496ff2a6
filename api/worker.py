"""The child process that reads what others may have written: `python -m wasmjit_api.worker LIMITS index SOURCE TARGET`, `… diff A B OUT`,
`… wat MODULE FUNCTION OUT` (`wasmjit_api.child` starts it).

Whatever a file contains, it can only cost this process its limits (CPU seconds, address space, file size, open files).
Standard output: `{"ok": true}` or `{"ok": false, "error": …}` as the last line, progress lines `{"read": bytes}` before it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

EXIT_BAD_FILE = 3


def limit_resources(cpu_seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Hard limits of this process; a platform without `resource` has none, and the parent's wall-clock limit remains."""
    try:
        import resource
    except ImportError:
        return
    for kind, value in (
        (resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_FSIZE, file_bytes), (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(argv: list[str]) -> int:
    limits, action, *paths = argv
    limit_resources(*(int(word) for word in limits.split(",")))
    from wasmjit_api.code import BadModule, write_text
    from wasmjit_api.waves.build import WaveFileError, build_index

    try:
        if action == "index":
            build_index(Path(paths[0]), Path(paths[1]), lambda done: _say(read=done))
        elif action == "diff":
            from wasmjit_api.waves.diff import write_difference

            write_difference(Path(paths[0]), Path(paths[1]), Path(paths[2]))
        elif action == "wat":
            write_text(Path(paths[0]), int(paths[1]), Path(paths[2]))
        else:
            raise SystemExit(f"unknown action {action!r}")
    except (WaveFileError, BadModule) as error:
        _say(ok=False, error=str(error))
        return EXIT_BAD_FILE
    except MemoryError:
        _say(ok=False, error="the file needs more memory than the server allows for one file")
        return EXIT_BAD_FILE
    except OSError as error:
        _say(ok=False, error=f"{error.strerror or error}")
        return EXIT_BAD_FILE
    _say(ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
