"""Generator: sends a schedule of requests and times each from its intended start.

Open loop: an arrival never waits for an earlier answer, so a server that stalls is seen by all who came meanwhile and no
omission is coordinated with it (Schroeder et al., Open Versus Closed, NSDI 2006). Each user keeps a connection, as a browser
does; an arrival whose user still waits opens another one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from core.load.connection import Connection, Fault, connect
from core.load.plan import LoadPlan
from core.load.report import LoadProgress, LoadReport, Ran, Tally
from core.load.scenarios import Request
from core.load.schedule import Schedule

TIMEOUT_SECONDS = 10.0
IN_FLIGHT_MOST = 4_000  # Twice the users at most: beyond it the server has stopped answering, and more sockets prove nothing.
SWEEP_SECONDS = 0.1
DRAIN_POLL_SECONDS = 0.005
PROGRESS_SECONDS = 1.0
AT_ONCE_MOST = 50  # When late: then answers are read before more is sent, or they would seem late too.
EARLY_SECONDS = 0.0005  # The loop's timers tick in milliseconds: half a tick early is as near as half a tick late.

OnProgress = Callable[[LoadProgress], None]


class _Exchange:
    """One request on its way."""

    __slots__ = ("connecting", "connection", "intended", "request", "retried", "route", "sent", "user")

    def __init__(self, request: Request, route: int, user: int, intended: float, sent: float) -> None:
        self.request, self.route, self.user, self.intended, self.sent = request, route, user, intended, sent
        self.connection: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None
        self.retried = False


async def generate(
    plan: LoadPlan,
    requests: Sequence[Request],
    schedule: Schedule,
    *,
    stop: asyncio.Event,
    on_progress: OnProgress,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> LoadReport:
    """Make the load; returns when the last answer is in or has timed out, or soon after `stop` is set."""
    return await _Run(plan, requests, schedule, on_progress, timeout_seconds).run(stop)


class _Run:
    def __init__(
        self,
        plan: LoadPlan,
        requests: Sequence[Request],
        schedule: Schedule,
        on_progress: OnProgress,
        timeout_seconds: float,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._plan = plan
        self._requests = requests
        self._schedule = schedule
        self._on_progress = on_progress
        routes = tuple(dict.fromkeys(request.route for request in requests))
        self._routes = {route: number for number, route in enumerate(routes)}
        self._tally = Tally(routes)
        self._idle: list[list[Connection]] = [[] for _ in range(plan.users)]
        self._in_flight: dict[_Exchange, None] = {}  # In the order of sending, so that a sweep ends at the first young one.
        self._connections = self._reconnects = 0
        self._started = self._cpu_before = 0.0
        self._window = (0.0, 0, 0.0)

    async def run(self, stop: asyncio.Event) -> LoadReport:
        self._cpu_before = time.process_time()
        self._started = time.perf_counter()
        watch = asyncio.create_task(self._watch(), name="load-watch")
        work = asyncio.create_task(self._work(), name="load-work")
        stopping = asyncio.create_task(stop.wait(), name="load-stop")
        try:
            await asyncio.wait((watch, work, stopping), return_when=asyncio.FIRST_COMPLETED)
            unfinished, stopped_early = len(self._in_flight), not work.done()
            if not self._window[0]:
                self._close_window()
            for task in (watch, work):
                if task.done():
                    task.result()
        finally:
            await self._end(watch, work, stopping)
        seconds, requests, cpu_seconds = self._window
        ran = Ran(
            elapsed_seconds=self._elapsed(),
            window_seconds=seconds,
            window_requests=requests,
            window_cpu_seconds=cpu_seconds,
            stopped_early=stopped_early,
            planned=len(self._schedule),
            unfinished=unfinished,
            connections=self._connections,
            reconnects=self._reconnects,
        )
        return self._tally.report(self._plan, ran)

    async def _work(self) -> None:
        """Start each request when it is due, then wait for the answers that are missing."""
        rows = zip(
            self._schedule.starts_seconds.tolist(), self._schedule.users.tolist(), self._schedule.choices.tolist(), strict=True
        )
        at_once = 0
        for start_seconds, user, choice in rows:
            due = self._started + start_seconds
            while (early := due - time.perf_counter()) > EARLY_SECONDS:
                await asyncio.sleep(max(early, 0.001))
                at_once = 0
            if (at_once := at_once + 1) % AT_ONCE_MOST == 0:
                await asyncio.sleep(0)
            self._start(due, user, self._requests[choice])
        await asyncio.sleep(self._plan.duration_seconds - self._elapsed())
        self._close_window()
        while self._in_flight:
            await asyncio.sleep(DRAIN_POLL_SECONDS)

    def _close_window(self) -> None:
        self._window = (self._elapsed(), self._tally.requests, time.process_time() - self._cpu_before)

    def _start(self, due: float, user: int, request: Request) -> None:
        now = time.perf_counter()
        self._tally.lags.append(max(0.0, now - due))
        route = self._routes[request.route]
        if len(self._in_flight) >= IN_FLIGHT_MOST:
            self._tally.failed(route, "not_sent", 0.0)
            return
        exchange = _Exchange(request, route, user, min(due, now), now)
        self._in_flight[exchange] = None
        idle = self._idle[user]
        while idle:
            connection = idle.pop()
            if connection.is_open:
                self._send(exchange, connection)
                return
        self._connect(exchange)

    def _send(self, exchange: _Exchange, connection: Connection) -> None:
        exchange.connection = connection
        connection.send(exchange.request.raw, partial(self._done, exchange))

    def _connect(self, exchange: _Exchange) -> None:
        exchange.connecting = asyncio.create_task(self._connect_and_send(exchange), name="load-connect")

    async def _connect_and_send(self, exchange: _Exchange) -> None:
        address = self._plan.address
        self._connections += 1
        try:
            connection = await connect(
                address.host, address.port, tls=address.scheme == "https", timeout_seconds=self._timeout_seconds
            )
        except ConnectionRefusedError:
            self._failed(exchange, "refused")
        except TimeoutError:
            self._failed(exchange, "timeout")
        except OSError:
            self._failed(exchange, "unreachable")
        else:
            if exchange in self._in_flight:
                self._send(exchange, connection)
            else:
                connection.abort("closed")

    def _done(self, exchange: _Exchange, connection: Connection, status: int, fault: Fault) -> None:
        if fault == "closed" and self._lost_race(exchange, connection):
            exchange.retried = True
            self._reconnects += 1
            self._connect(exchange)
        elif fault:
            self._failed(exchange, fault)
        elif self._in_flight.pop(exchange, exchange) is None:
            self._tally.answered(exchange.route, status, time.perf_counter() - exchange.intended)
        if connection.is_open:
            idle = self._idle[exchange.user]
            if idle:
                connection.abort("closed")
            else:
                idle.append(connection)

    @staticmethod
    def _lost_race(exchange: _Exchange, connection: Connection) -> bool:
        """Whether the server closed an idle connection just as a GET went out: a client repeats that (RFC 9110, 9.2.2)."""
        return (
            not exchange.retried
            and connection.untouched
            and connection.requests > 1
            and exchange.request.route.startswith("GET ")
        )

    def _failed(self, exchange: _Exchange, fault: Fault) -> None:
        if self._in_flight.pop(exchange, exchange) is None:
            self._tally.failed(exchange.route, fault, time.perf_counter() - exchange.intended)

    async def _watch(self) -> None:
        """End what takes too long, and tell how far the run is once a second."""
        told = 0.0
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._sweep()
            if self._elapsed() - told >= PROGRESS_SECONDS:
                told = self._elapsed()
                self._on_progress(self._progress())

    def _sweep(self) -> None:
        oldest_allowed = time.perf_counter() - self._timeout_seconds
        late = []
        for exchange in self._in_flight:
            if exchange.sent > oldest_allowed:
                break
            late.append(exchange)
        for exchange in late:
            self._failed(exchange, "timeout")
            self._abandon(exchange)

    @staticmethod
    def _abandon(exchange: _Exchange) -> None:
        if exchange.connecting is not None:
            exchange.connecting.cancel()
        if exchange.connection is not None:
            exchange.connection.abort("timeout")

    def _progress(self) -> LoadProgress:
        elapsed, requests = self._elapsed(), self._tally.requests
        return LoadProgress(
            elapsed_seconds=elapsed,
            duration_seconds=self._plan.duration_seconds,
            requests=requests,
            planned=len(self._schedule),
            rate=requests / elapsed,
            p95_seconds=self._tally.recent_p95(),
            errors=self._tally.errors,
        )

    def _elapsed(self) -> float:
        return time.perf_counter() - self._started

    async def _end(self, *tasks: asyncio.Task[object]) -> None:
        for task in tasks:
            task.cancel()
        connecting = [exchange.connecting for exchange in self._in_flight if exchange.connecting is not None]
        open_exchanges, self._in_flight = list(self._in_flight), {}
        for exchange in open_exchanges:
            self._abandon(exchange)
        for connection in (connection for idle in self._idle for connection in idle):
            connection.abort("closed")
        await asyncio.gather(*tasks, *connecting, return_exceptions=True)
