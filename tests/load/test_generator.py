"""The generator against real servers: it sends what was planned, times it from when it was meant, and names what went wrong."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response

from core.load import Address, LoadPlan, LoadProgress, LoadReport, generate
from core.load.client import Client
from core.load.scenarios import Request, learn, plain_get, requests
from core.load.schedule import Schedule, draw
from tests.console_process import free_port
from tests.load.platform_server import PlatformServer, RawServer

ROUTE = "GET /api/markets"
BODY = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"items":[]}\n'


class _Plan(LoadPlan):
    """Also of less than the second that an operator may ask for."""

    def __post_init__(self) -> None:
        assert self.duration_seconds > 0


def _plan(port: int, users: int = 20, think_seconds: float = 0.2, duration_seconds: float = 0.6) -> LoadPlan:
    address = Address("http", "127.0.0.1", port)
    return _Plan(address=address, users=users, think_seconds=think_seconds, duration_seconds=duration_seconds)


async def _mix(plan: LoadPlan, *, events: bool = False) -> tuple[Request, ...]:
    async with Client(plan.address) as client:
        return requests(await learn(client.get_items), plan.address, events=events)


async def _ask(port: int, count: int, *, users: int = 1, apart_seconds: float = 0.0, **options: Any) -> LoadReport:
    """`count` GETs of one route by users in turn."""
    plan = _plan(port, users=users, duration_seconds=count * apart_seconds + 0.05)
    starts = np.arange(count) * apart_seconds
    schedule = Schedule(starts, np.arange(count) % users, np.zeros(count, dtype=np.int64))
    asked = [Request(options.pop("route", ROUTE), plain_get(plan.address, "/api/markets"), 1.0)]
    return await generate(plan, asked, schedule, stop=asyncio.Event(), on_progress=lambda _: None, **options)


def _kinds(report: LoadReport) -> dict[str, int]:
    return {item.kind: item.count for item in report.errors_by_kind}


async def test_everything_planned_is_asked_once() -> None:
    """Counts of the server, the schedule and the report are the same, route by route; users keep their connections."""
    progress: list[LoadProgress] = []
    with PlatformServer() as server:
        plan = _plan(server.port, duration_seconds=2.2)
        asked = await _mix(plan, events=True)
        schedule = draw(plan, [request.weight for request in asked])
        server.asked.clear()
        report = await generate(plan, asked, schedule, stop=asyncio.Event(), on_progress=progress.append)

    planned = Counter(asked[choice].route for choice in schedule.choices)
    assert report.requests == report.planned == len(server.asked) == len(schedule)
    assert {route.route: route.requests for route in report.routes if route.requests} == planned
    assert (report.errors, report.unfinished, report.stopped_early) == (0, 0, False)
    assert sum(line.startswith("POST") for line in server.asked) == planned["POST /api/events"] > 0
    assert plan.users <= report.connections < report.requests / 2
    assert [line.planned for line in progress] == [len(schedule)] * 2


async def test_same_seed_same_requests() -> None:
    """The server is asked the same things, in whatever order they arrive."""
    seen = []
    with PlatformServer() as server:
        for _ in range(2):
            plan = _plan(server.port)
            asked = await _mix(plan)
            server.asked.clear()
            schedule = draw(plan, [request.weight for request in asked])
            await generate(plan, asked, schedule, stop=asyncio.Event(), on_progress=lambda _: None)
            seen.append(Counter(server.asked))

    assert seen[0] == seen[1]
    assert seen[0].total() > 30


async def test_a_stall_is_seen_by_all_who_came_meanwhile() -> None:
    """The server stands still for half a second: the arrivals of that time waited, each from its own intended start."""
    stalled = threading.Event()

    async def stall_once(_request: HttpRequest, _measured: int) -> None:
        if not stalled.is_set():
            stalled.set()
            threading.Event().wait(0.5)

    with PlatformServer() as server:
        server.fault = stall_once
        report = await _ask(server.port, 200, users=50, apart_seconds=0.005)

    assert report.errors == 0
    assert report.latency.max_seconds is not None
    assert report.latency.max_seconds >= 0.5
    assert report.latency.p95_seconds is not None
    assert report.latency.p95_seconds > 0.25
    assert report.connections > 50  # A user whose first request still waits opens another connection.


async def test_nobody_listens() -> None:
    """Every request is refused, and there is no latency to speak of."""
    report = await _ask(free_port(), 5)

    assert _kinds(report) == {"refused": 5}
    assert (report.latency.count, report.latency.p95_seconds, report.error_share) == (0, None, 1.0)


async def test_an_error_status_is_an_error_with_a_latency() -> None:
    """500 and 503 are counted apart, a redirect and a 202 are answers."""
    statuses = iter([500, 503, 503, 202, 200])

    async def answer(_request: HttpRequest, _measured: int) -> Response:
        return JSONResponse({}, next(statuses))

    with PlatformServer() as server:
        server.fault = answer
        report = await _ask(server.port, 5, apart_seconds=0.02)

    assert _kinds(report) == {"http 503": 2, "http 500": 1}
    assert report.latency.count == 5


async def test_a_page_in_place_of_json_is_malformed() -> None:
    """Streamlit answers an unknown path with a page and status 200."""

    async def page(_request: HttpRequest, _measured: int) -> Response:
        return HTMLResponse("<html></html>")

    with PlatformServer() as server:
        server.fault = page
        report = await _ask(server.port, 3, apart_seconds=0.02)

    assert _kinds(report) == {"malformed": 3}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"220 smtp.example ready\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed"),
        (None, "closed"),
    ],
)
async def test_broken_answers(answer: bytes | None, kind: str) -> None:
    """No HTTP, a body that ends early, a broken chunk, nothing at all: named, and the next request gets a new connection."""
    async with RawServer(lambda _number, _request: answer) as server:
        report = await _ask(server.port, 3, apart_seconds=0.02)

    assert _kinds(report) == {kind: 3}
    assert server.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        BODY,
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n',
        b'HTTP/1.1 200 OK\r\n\r\n{"until": "the end"}',
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n{}\n",
        b"HTTP/1.0 200 OK\r\n\r\n[1]",
    ],
)
async def test_every_way_of_a_whole_answer(answer: bytes) -> None:
    """Content-Length, chunks, the end of the connection, no body, an interim answer, a connection that is closed after it."""
    async with RawServer(lambda _number, _request: answer) as server:
        report = await _ask(server.port, 4, apart_seconds=0.02)

    assert _kinds(report) == {}
    assert report.latency.count == server.requests == 4


async def test_a_server_that_never_answers_times_out() -> None:
    """The wait counts as its latency, and the end of the load does not wait longer."""

    async def never(_request: HttpRequest, _measured: int) -> None:
        await asyncio.Event().wait()

    with PlatformServer() as server:
        server.fault = never
        report = await _ask(server.port, 3, timeout_seconds=0.3)

    assert _kinds(report) == {"timeout": 3}
    assert report.latency.p50_seconds is not None
    assert report.latency.p50_seconds >= 0.3


async def test_a_connection_that_was_closed_while_idle_is_no_error() -> None:
    """The server drops every connection as the second request arrives on it: a GET goes out again, as a browser does."""
    answered: Counter[bytes] = Counter()

    def answer(number: int, _request: bytes) -> bytes | None:
        answered["all"] += 1
        return None if number % 2 == 0 else BODY

    async with RawServer(answer) as server:
        report = await _ask(server.port, 3, apart_seconds=0.05)

    assert _kinds(report) == {}
    assert (report.requests, report.reconnects) == (3, 2)
    assert server.connections == 3


async def test_a_write_is_never_sent_twice() -> None:
    """The same race under a POST is an error: nobody knows whether it was done."""
    async with RawServer(lambda number, _request: None if number % 2 == 0 else BODY) as server:
        report = await _ask(server.port, 2, apart_seconds=0.05, route="POST /api/events")

    assert (_kinds(report), report.reconnects) == ({"closed": 1}, 0)


async def test_stopping_keeps_what_was_measured() -> None:
    """A load of minutes that is told to stop reports the part that ran and what was left on its way."""
    stop = asyncio.Event()

    async def hold_the_tenth(_request: HttpRequest, _measured: int) -> None:
        if len(server.asked) == 10:
            stopper.call_soon_threadsafe(stop.set)
            await asyncio.Event().wait()

    stopper = asyncio.get_running_loop()
    with PlatformServer() as server:
        server.fault = hold_the_tenth
        plan = _plan(server.port, duration_seconds=600)
        schedule = Schedule(np.arange(1_000) * 0.02, np.arange(1_000) % 20, np.zeros(1_000, dtype=np.int64))
        asked = [Request(ROUTE, plain_get(plan.address, "/api/markets"), 1.0)]
        report = await generate(plan, asked, schedule, stop=stop, on_progress=lambda _: None)

    assert report.stopped_early
    assert report.requests >= 9
    assert report.unfinished >= 1
    assert report.requests + report.unfinished < 1_000
    assert report.elapsed_seconds < 60
