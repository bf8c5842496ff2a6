"""Many clients on one large trace: `python tests/api/load.py RUNS RUN [CLIENTS] [REQUESTS]`.

Starts a dashboard over RUNS and lets CLIENTS threads pan and zoom in the waveform of RUN over HTTP at once. Prints how many requests failed, latencies, and the
processor time of the server per request; the exit status is 1 when a request was lost. A trace of 10 million changes of a real design:
`wasmjit run ../shared/bench/lfsr.mlir --record RUNS +cycles=70000`.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PORT = 8793


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, Any]:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, json.loads(body)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main(runs: str, run: str, clients: int = 50, requests: int = 20) -> int:
    server = subprocess.Popen([sys.executable, "-m", "wasmjit", "serve", runs, "--port", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                first = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
                if ask(first, f"/api/runs/{run}/waves")[1]["state"] == "ready":
                    break
            except ConnectionRefusedError:
                pass
            time.sleep(0.5)
        tree = ask(first, f"/api/runs/{run}/waves/tree")[1]
        signals = sorted({row[3] for row in tree["vars"]})
        end = tree["t_end"]
        lost: list[str] = []
        took: list[float] = []
        before = cpu_seconds(server.pid)

        def client(number: int) -> None:
            rng = random.Random(number)
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
            for _ in range(requests):
                span = max(2000, int(end * 10 ** rng.uniform(-4, 0)))
                t0 = rng.randrange(max(1, end - span))
                rows = ",".join(map(str, rng.sample(signals, min(36, len(signals)))))
                began = time.perf_counter()
                try:
                    status, body = ask(connection, f"/api/runs/{run}/waves/window?t0={t0}&t1={t0 + span}&px=2800&s={rows}")
                    if status != 200 or len(body["rows"]) != rows.count(",") + 1:
                        lost.append(f"status {status}")
                except (OSError, http.client.HTTPException, ValueError) as error:
                    lost.append(repr(error))
                    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
                took.append((time.perf_counter() - began) * 1e3)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = (cpu_seconds(server.pid) - before) * 1e3 / len(took)
        took.sort()
        print(
            f"{tree['changes']} changes, {len(signals)} signals, {clients} clients, {len(took)} requests of 36 rows: {len(lost)} lost; latency median {statistics.median(took):.0f} ms, "
            f"95 % {took[len(took) * 95 // 100]:.0f} ms; server {used:.1f} ms of processor time per request"
        )
        for text in lost[:5]:
            print(text)
        return bool(lost)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
