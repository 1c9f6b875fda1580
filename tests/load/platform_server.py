"""PlatformServer: the routes in the shapes of the API over made-up rows, on a thread, with faults that a test orders."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.console_process import free_port
from tests.support import wait_until

MARKETS = ("austin", "dallas")
LEADS = {slug: [str(number) for number in range(start, start + 20)] for slug, start in zip(MARKETS, (1, 101), strict=True)}


class PlatformServer:
    """Answers quickly and counts; `fault` may answer in place of a route. Leaving the block ends it."""

    def __init__(self, readyz: dict[str, Any] | None = None) -> None:
        self.port = free_port()
        self.asked: list[str] = []
        self.fault: Callable[[Request, int], Awaitable[Response | None]] | None = None
        self._readyz = readyz or {"environment": "local", "mode": "operate", "dependencies": [_postgresql("embedded")]}
        routes = [Route(path, self._answer, methods=["GET", "POST"]) for path in ("/readyz", "/api/{path:path}")]
        config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=self.port, log_level="critical", backlog=4096)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="platform-server")

    def __enter__(self) -> PlatformServer:
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def measured(self) -> list[str]:
        """What was asked after the lists that are read first: readyz, the markets, and two lists of each."""
        return self.asked[2 + 2 * len(MARKETS) :]

    async def _answer(self, request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        self.asked.append(f"{request.method} {request.url.path}{query}")
        if self.fault is not None and (faulty := await self.fault(request, len(self.measured))) is not None:
            return faulty
        path = request.url.path
        if path == "/readyz":
            return JSONResponse(self._readyz)
        if request.method == "POST":
            return JSONResponse({"accepted": 1, "rejected": []}, 202)
        return JSONResponse(_body(path, request.query_params.get("market", MARKETS[0])))


def _body(path: str, market: str) -> dict[str, Any]:
    if path == "/api/markets":
        return {"items": [{"id": slug, "name": slug.title()} for slug in MARKETS]}
    if path == "/api/leads":
        return {"items": [{"id": lead, "market_id": market, "score": 90} for lead in LEADS[market]]}
    if path == "/api/properties":
        kinds = ("single_family", "condo")
        return {"items": [_listing(number, kinds[number % 2]) for number in range(10)]}
    return {"id": path.rpartition("/")[2]}


def _listing(number: int, kind: str) -> dict[str, Any]:
    return {"id": str(number), "property_type": kind, "neighborhood": f"Place {number % 3}", "price": 100_000.0 * (number + 1)}


def _postgresql(where: str) -> dict[str, str]:
    return {"name": "postgresql", "where": where, "state": "up"}


class RawServer:
    """Answers every connection with the bytes that `answer` gives for the n-th request, and None closes; for broken HTTP."""

    def __init__(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        self._answer = answer
        self.connections = self.requests = 0

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                answer = self._answer(self.requests, request)
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
                if answer is None or b"connection: close" in answer.lower() or not answer.endswith(b"\n"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
