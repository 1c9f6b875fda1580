"""Health: asks every server that we stand on whether it answers, and keeps the answer with its age.

Owns the state of each dependency and the restart of an embedded one that has died. Refuses to block: a snapshot is a read of
what the last check found.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from core.errors import CoreError, DependencyDown, DependencyTimeout
from core.ports import Ping, Pingable
from core.tasks import end_tasks

log = logging.getLogger(__name__)

LATENCY_SAMPLES = 60  # Two minutes at the default interval: enough for a sparkline.

DependencyState = Literal["starting", "up", "down"]


class ProcessState(Protocol):
    """What the operating system says of a server's process."""

    @property
    def state(self) -> Literal["running", "paused", "gone"]:
        """`paused` is stopped by a signal, `gone` has ended."""
        ...

    @property
    def pid(self) -> int | None:
        """The process, when there is one."""
        ...


class EmbeddedServer(Protocol):
    """What health needs of a server that we start ourselves."""

    def ensure(self) -> str:
        """Attach to the server or start it; blocks, so it runs in a thread."""
        ...

    def process_state(self) -> ProcessState:
        """The state of its process; quick."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency to watch; `server` is given when we start it ourselves."""

    name: str
    title: str
    service: Pingable
    where: str
    next_step: str
    server: EmbeddedServer | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage that is over; times in UTC."""

    started_at: datetime
    ended_at: datetime
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyStatus:
    """What is known of one dependency; times in UTC, latencies in seconds with None for a ping that failed."""

    name: str
    title: str
    where: str
    state: DependencyState
    since: datetime
    checked_at: datetime | None = None
    version: str = ""
    latencies_seconds: tuple[float | None, ...] = ()
    error: str = ""
    next_step: str = ""
    last_outage: Outage | None = None


class Health:
    """Watches each dependency in a task of its own, so that one that hangs delays no other."""

    def __init__(self, checks: Sequence[Check], interval_seconds: float, timeout_seconds: float) -> None:
        self._watches = [_Watch(check, interval_seconds, timeout_seconds) for check in checks]
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start watching."""
        self._tasks = [asyncio.create_task(watch.run(), name=f"health-{watch.check.name}") for watch in self._watches]

    async def close(self) -> None:
        """Stop watching."""
        await end_tasks(self._tasks)
        self._tasks = []

    def snapshot(self) -> tuple[DependencyStatus, ...]:
        """The state of every dependency as last seen; safe from any thread."""
        return tuple(watch.status for watch in self._watches)

    async def wait_up(self, name: str) -> None:
        """Return when the dependency is up."""
        watch = next(watch for watch in self._watches if watch.check.name == name)
        await watch.up.wait()


@dataclass(slots=True)
class _Watch:
    check: Check
    interval_seconds: float
    timeout_seconds: float
    up: asyncio.Event = field(default_factory=asyncio.Event)
    status: DependencyStatus = field(init=False)
    _latencies: deque[float | None] = field(default_factory=lambda: deque(maxlen=LATENCY_SAMPLES))

    def __post_init__(self) -> None:
        check = self.check
        self.status = DependencyStatus(name=check.name, title=check.title, where=check.where, state="starting", since=_now())

    async def run(self) -> None:
        while True:
            try:
                await self._check_once()
            except Exception:
                log.exception("health_crashed dependency=%s", self.check.name)
            await asyncio.sleep(self.interval_seconds)

    async def _check_once(self) -> None:
        try:
            if self.status.state == "starting":
                await self._ensure()
            self._answered(await self._ping())
        except CoreError as error:
            self._failed(error)
            await self._repair()

    async def _ensure(self) -> None:
        if self.check.server is not None:
            await asyncio.to_thread(self.check.server.ensure)

    async def _repair(self) -> None:
        """Start an embedded server that has died; the next check says whether it answers."""
        try:
            await self._ensure()
        except CoreError as error:
            self._describe(error)

    async def _ping(self) -> Ping:
        process = self.check.server.process_state() if self.check.server else None
        if process is not None and process.state != "running":
            # Its open connections may still answer while new ones hang, so the process is asked first.
            word = "is paused (SIGSTOP)" if process.state == "paused" else "has ended"
            raise DependencyDown(f"The process of {self.check.title} {word}.")
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self.check.service.ping()
        except TimeoutError:
            raise DependencyTimeout(f"{self.check.title} gave no answer within {self.timeout_seconds:g} s.") from None

    def _answered(self, ping: Ping) -> None:
        self._latencies.append(ping.latency_seconds)
        if self.status.state == "down":
            outage = Outage(self.status.since, _now(), self.status.error)
            self.status = replace(self.status, last_outage=outage)
        self._become("up", version=ping.version, error="", next_step="")

    def _failed(self, error: CoreError) -> None:
        self._latencies.append(None)
        self._become("down", version=self.status.version, error=str(error), next_step=self._advice(error))

    def _describe(self, error: CoreError) -> None:
        """Say better why the dependency is down, once the repair knows."""
        self.status = replace(self.status, error=str(error), next_step=self._advice(error))

    def _advice(self, error: CoreError) -> str:
        general = error.next_step == error.default_next_step
        return self.check.next_step if general else error.next_step

    def _become(self, state: DependencyState, *, version: str, error: str, next_step: str) -> None:
        now, changed = _now(), state != self.status.state
        if changed:
            # A server that is there from the start is no news: commands would say it on every run.
            expected = (self.status.state, state) == ("starting", "up")
            log.log(
                logging.INFO if expected else logging.WARNING, "dependency_%s name=%s error=%r", state, self.check.name, error
            )
        self.status = replace(
            self.status,
            state=state,
            since=now if changed else self.status.since,
            checked_at=now,
            version=version,
            latencies_seconds=tuple(self._latencies),
            error=error,
            next_step=next_step,
        )
        if state == "up":
            self.up.set()
        else:
            self.up.clear()


def _now() -> datetime:
    return datetime.now(UTC)
