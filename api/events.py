"""Live updates: one thread watches the run store, every open page gets what changed (server-sent events)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import orjson
from wasmjit_api.errors import ApiError
from wasmjit_api.store import RunStore

_QUEUE_LIMIT = 256
_HEARTBEAT_S = 15.0


class Hub:
    """Hands each change of the store to every subscriber. A subscriber that does not keep up is told to reload."""

    def __init__(self, store: RunStore, interval_s: float) -> None:
        self._store = store
        self._interval = interval_s
        self._subscribers: set[asyncio.Queue[bytes | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: str | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.Thread(target=self._watch, name="run-store-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                changes = self._store.scan()
                self.failure = None
            except OSError as error:
                # A run directory deleted while it was read; the next scan sees it gone. Shown by /api/status if it stays.
                changes, self.failure = [], f"the run directory cannot be read: {error}"
            for what, run_id in changes:
                self.publish(self.message(what, run_id))
            self._stop.wait(self._interval)

    def message(self, what: str, run_id: str) -> dict[str, Any]:
        """The event about a run, with its row unless it is gone."""
        if what == "deleted":
            return {"event": "deleted", "id": run_id}
        try:
            return {"event": what, "id": run_id, "run": self._store.run(run_id)}
        except ApiError:
            return {"event": "deleted", "id": run_id}

    def publish(self, message: dict[str, Any]) -> None:
        """Send to every subscriber; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, b"data: " + orjson.dumps(message) + b"\n\n")

    def end_streams(self) -> None:
        """End every open stream, so that the server can stop; browsers reconnect by themselves if it comes back."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, None)

    def _put(self, data: bytes | None) -> None:
        for queue in self._subscribers:
            if data is not None and queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(b'data: {"event":"reload"}\n\n')
            else:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(data)

    async def stream(self) -> AsyncIterator[bytes]:
        """The body of an event stream."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_LIMIT)
        self._subscribers.add(queue)
        try:
            yield b'retry: 2000\ndata: {"event":"hello"}\n\n'
            while True:
                try:
                    data = await asyncio.wait_for(queue.get(), _HEARTBEAT_S)
                except TimeoutError:
                    data = b": still here\n\n"
                if data is None:
                    return
                yield data
        finally:
            self._subscribers.discard(queue)
