"""What live faults need: a receiver of messages, a Messages API that is overloaded, traffic, and a small disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from tests.virtual_time import pass_time

OVERLOADED = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).encode()
MARKETS = ("austin", "dallas", "houston", "san_antonio", "toledo")


class Loopback(ThreadingHTTPServer):
    """Answers every request with `status` and `body`, on a thread; keeps what was sent with its moment."""

    daemon_threads = True

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.status, self.body = status, body
        self.taken: list[tuple[float, dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def titles(self, since: float) -> list[tuple[float, str]]:
        """What was told since a moment: seconds after it, and the title."""
        return [(at - since, str(sent.get("title", ""))) for at, sent in tuple(self.taken) if at >= since]

    def __enter__(self) -> Loopback:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_POST(self) -> None:
        """Keep it, answer."""
        sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.taken.append((time.monotonic(), json.loads(sent or b"{}")))
        self.do_GET()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_args: object) -> None:
        """Nothing."""


class Traffic:
    """Requests at random moments, whatever becomes of the earlier ones; leaving the block ends it."""

    def __init__(self, url: str, *, per_second: float = 30.0) -> None:
        self._url = url
        self._per_second = per_second
        self.claude_per_second = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="traffic")
        self._chance = random.Random(3)
        self._asks = 0

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(30)

    async def _run(self) -> None:
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(base_url=self._url, timeout=15, limits=limits) as client, asyncio.TaskGroup() as group:
            group.create_task(self._arrivals(lambda: self._per_second, lambda: self._look(client), group))
            group.create_task(self._arrivals(lambda: self.claude_per_second, lambda: self._ask(client), group))

    async def _arrivals(
        self, rate: Callable[[], float], request: Callable[[], Coroutine[Any, Any, None]], group: asyncio.TaskGroup
    ) -> None:
        while not self._stop.is_set():
            now = rate()
            await pass_time(self._chance.expovariate(now) if now else 0.5)
            if now:
                group.create_task(request())

    async def _look(self, client: httpx2.AsyncClient) -> None:
        chance, market = self._chance.random(), self._chance.choice(MARKETS)
        number = self._chance.randrange(1_000_000)
        path = (
            f"/api/leads?market={market}&limit={1 + number % 500}"
            if chance < 0.4
            else f"/api/properties?market={market}&min_price={100_000 + number % 300_000}"
            if chance < 0.7
            else f"/api/markets/{market}"
        )
        with contextlib.suppress(httpx2.HTTPError):
            await client.get(path)

    async def _ask(self, client: httpx2.AsyncClient) -> None:
        self._asks += 1
        lead = {"budget": f"{200 + self._asks}k", "stage": "hot", "interactions": self._asks % 30, "market": "austin"}
        with contextlib.suppress(httpx2.HTTPError):
            await client.post("/api/analysis", json=lead)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own in memory; needs the right to mount."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
