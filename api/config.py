"""Settings of the dashboard server, fixed when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

MAX_TIME = 9 * 10**18
"""Latest simulation time (fs; 2.5 hours) that requests and waveforms may name: below 2**63, and exact as a double as JSON Schema tools read it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`designs_dir`: runs can be started from the page on designs below it; None: starting runs is off. Sizes in bytes, times in seconds."""

    runs_dir: Path
    host: str = "127.0.0.1"
    port: int = 8787
    token: str | None = None
    designs_dir: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_upload: int = 512 << 20
    max_body: int = 1 << 20
    parse_cpu_s: int = 300
    parse_wall_s: int = 600
    parse_memory: int = 6 << 30
    parse_file: int = 16 << 30
    scan_interval_s: float = 0.5
    max_runs_active: int = 2
    database: Path | None = field(default=None)

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.token:
            raise ValueError(f"binding to {self.host} makes recorded runs readable from the network: give a token (--token), or bind to 127.0.0.1")


def is_loopback(host: str) -> bool:
    """Whether a bind address is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
