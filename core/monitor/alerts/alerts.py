"""Alerts: judges the rules every few seconds, has told what is to be told, and keeps the incidents in the store.

Owns the tick and its age. Judges from memory, whatever server is down; only the console judges, not the processes of `serve`.
What happened reaches the store when that answers, and is taken up again after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import CoreError
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.fleet import Fleet, FleetStats
from core.monitor.alerts.heartbeat import Heartbeat
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.incidents import worst_first
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.looks import record_looks
from core.monitor.alerts.notifier import Delivery, Notifier
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.records import AlertRecords
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.silence import Silence
from core.monitor.alerts.telling import Message
from core.monitor.alerts.view import AlertsStats, AlertsView, RuleStatus
from core.monitor.clock import SteadyClock
from core.monitor.slots import Slot
from core.monitor.windows import Labels
from core.ports import Record
from core.tasks import end_tasks

log = logging.getLogger(__name__)

TICK_SECONDS = 5.0
KEEP_SECONDS = 2.0
EXPIRE_SECONDS = 3_600.0
STALLED_SECONDS = 60.0  # After that the heartbeat stops: it would say that somebody judges.
TEST_SECONDS = 6.0  # Below the time that a page waits.
LAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertParts:
    """What alerts stand on; `store_ready` says whether the store has its tables, `take_up` fetches what else is in it."""

    book: AlertBook
    readings: Readings
    records: AlertRecords
    notifier: Notifier
    clock: SteadyClock
    record: Record | None = None
    heartbeat_url: str | None = None
    fleet: Fleet | None = None
    store_ready: Callable[[], bool] = lambda: True
    take_up: Callable[[], Awaitable[None]] | None = None
    keep_seconds: float = KEEP_SECONDS


class Alerts:
    """Bound to the loop that opened it; `tick` and what operators do run there."""

    def __init__(self, parts: AlertParts, *, judges: bool = True) -> None:
        self._parts = parts
        self._book = parts.book
        self._judges = judges
        self._heartbeat = Heartbeat(parts.heartbeat_url, self._alive)
        self._delivered: deque[Delivery] = deque()
        self._loaded = False
        self._expired_at = float("-inf")
        self._store_error = ""
        self._ticks = 0
        self._ticked_at: float | None = None
        self._tick_seconds = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start judging, in the console."""
        if self._judges:
            await self._parts.notifier.open()
            await self._heartbeat.open()
            if self._parts.fleet is not None:
                await self._parts.fleet.open()
            runs = {"alerts": self._run(), "alerts-store": self._keep()}
            self._tasks = [asyncio.create_task(run, name=name) for name, run in runs.items()]

    async def close(self) -> None:
        """Stop, and write what waits if the store answers at once."""
        tasks, self._tasks = self._tasks, []
        await end_tasks(tasks)
        await self._heartbeat.close()
        if self._parts.fleet is not None:
            await self._parts.fleet.close()
        await self._parts.notifier.close()
        if tasks and self._loaded and len(self._book.unwritten):
            try:
                async with asyncio.timeout(LAST_SECONDS):
                    await self._write()
            except (CoreError, TimeoutError) as error:
                log.warning("alerts_lost unwritten=%s error=%r", len(self._book.unwritten), str(error))

    def tick(self) -> None:
        """Judge once, and hand over what is to be told."""
        self._judge(self._parts.readings.take(self._book.rules))

    def _judge(self, readings: Mapping[str, Reading]) -> None:
        began, now = time.perf_counter(), self._parts.clock.now()
        if self._parts.record is not None:
            record_looks(self._parts.record, self._book.rules, readings)
            if self._ticked_at is not None:
                self._parts.record.gauge("alerts_tick_age_seconds", now - self._ticked_at)
        for message in self._book.tick(readings, now, self._parts.clock.shift_seconds()):
            self._parts.notifier.tell(message, self._delivered.append)
        while self._delivered:
            delivery = self._delivered.popleft()
            self._book.delivered(delivery.message, delivery.error, now, again=delivery.attempts > 0)
        self._ticks += 1
        self._ticked_at = now
        self._tick_seconds = time.perf_counter() - began

    async def acknowledge(self, key: str, *, who: str, why: str, seconds: float) -> Incident:
        """See AlertBook.acknowledge."""
        return self._book.acknowledge(key, who=who, why=why, seconds=seconds, now=self._parts.clock.now())

    def remark(self, key: str, text: str, who: str = "") -> None:
        """See AlertBook.remark."""
        self._book.remark(key, text, who, self._parts.clock.now())

    async def silence(self, rule: str, *, who: str, why: str, seconds: float) -> Silence:
        """See AlertBook.silence."""
        return self._book.silence(rule, who=who, why=why, seconds=seconds, wall=self._wall())

    async def end_silence(self, key: str, *, who: str) -> Silence:
        """See AlertBook.end_silence."""
        return self._book.end_silence(key, who=who)

    async def change_rule(self, rule: str, values: Mapping[str, Any], *, who: str, why: str) -> Rule:
        """See AlertBook.change_rule."""
        return self._book.change_rule(rule, values, who=who, why=why, wall=self._wall())

    async def test(self, *, who: str) -> Delivery:
        """Send a test to whom a critical alert would go; the answer says what became of it."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[Delivery] = loop.create_future()
        message = Message("test", "Test of the alerts", f"Sent by {who}. Nothing is wrong.")
        self._parts.notifier.tell(message, lambda delivery: loop.call_soon_threadsafe(_give, over, delivery))
        try:
            async with asyncio.timeout(TEST_SECONDS):
                return await over
        except TimeoutError:
            return Delivery(message, f"no answer within {TEST_SECONDS:g} s; it is still tried", 0)

    def view(self) -> AlertsView:
        """What the page shows; no I/O."""
        book, clock, now = self._book, self._parts.clock, self._parts.clock.now()
        wall = self._wall()
        # Copies: this runs on the threads of pages while operators change things on the loop.
        changes = {name: made.who for name, made in book.changes.copy().items() if made.values}
        return AlertsView(
            open=worst_first(tuple(book.incidents.open.values())),
            resolved=tuple(reversed(book.incidents.resolved)),
            rules=tuple(
                RuleStatus(rule, book.incidents.conditions[rule.name], book.trend(rule), changes.get(rule.name, ""))
                for rule in book.rules
            ),
            silences=tuple(silence for silence in tuple(book.silences.values()) if silence.holds(wall)),
            silenced=book.silenced(wall),
            stats=self.stats(),
            now=now,
            shift_seconds=clock.shift_seconds(),
            seen_since=book.incidents.seen_since,
        )

    @property
    def revision(self) -> int:
        """Another number whenever a view would be another; safe from any thread."""
        return self._book.revision

    def measured(self, metric: str, window_seconds: int) -> list[tuple[Labels, list[Slot]]]:
        """What each series did in a window, in all processes that are judged; safe from any thread."""
        return self._parts.readings.measured(metric, window_seconds)

    @property
    def book(self) -> AlertBook:
        """What is remembered; on the loop of the alerts only."""
        return self._book

    def stats(self) -> AlertsStats:
        """How the judging fares."""
        return AlertsStats(
            judges=self._judges,
            ticks=self._ticks,
            tick_age_seconds=self.tick_age_seconds(),
            tick_seconds=self._tick_seconds,
            open=len(self._book.incidents.open),
            unwritten=len(self._book.unwritten),
            store_error=self._store_error,
            notifier=self._parts.notifier.stats(),
            heartbeat=self._heartbeat.stats(),
            fleet=FleetStats() if self._parts.fleet is None else self._parts.fleet.stats(),
        )

    async def _run(self) -> None:
        while True:
            try:
                # Summing the slots of many series takes milliseconds, which no request shall wait for.
                self._judge(await asyncio.to_thread(self._parts.readings.take, self._book.rules))
            except Exception:
                log.exception("alerts_crashed")
            await asyncio.sleep(TICK_SECONDS)

    async def _keep(self) -> None:
        """Take up what the last run left, then write what happens; again and again while the store is away."""
        while True:
            await asyncio.sleep(self._parts.keep_seconds)
            if not self._parts.store_ready():
                continue
            try:
                if not self._loaded:
                    now = self._parts.clock.now()
                    self._book.restore(await self._parts.records.load(now, self._shift()), now)
                    if self._parts.take_up is not None:
                        await self._parts.take_up()
                    self._loaded = True
                await self._write()
                await self._expire()
                self._say("")
            except Exception as error:  # noqa: BLE001 - nothing may end the writer; what it was is logged and shown.
                self._say(str(error) or type(error).__name__)

    async def _write(self) -> None:
        if len(self._book.unwritten):
            await self._parts.records.write(self._book.unwritten, self._shift())

    async def _expire(self) -> None:
        now = self._parts.clock.now()
        if now - self._expired_at >= EXPIRE_SECONDS:
            await self._parts.records.expire(self._wall())
            self._expired_at = now

    def _alive(self) -> bool:
        age_seconds = self.tick_age_seconds()
        return age_seconds is not None and age_seconds < STALLED_SECONDS

    def tick_age_seconds(self) -> float | None:
        """How long ago it was judged; None: not yet."""
        return None if self._ticked_at is None else self._parts.clock.now() - self._ticked_at

    @property
    def stalled(self) -> bool:
        """Whether it was judged, but not for a minute: what the rules say is no longer so."""
        age_seconds = self.tick_age_seconds()
        return age_seconds is not None and age_seconds > STALLED_SECONDS

    def _wall(self) -> float:
        return self._parts.clock.now() + self._shift()

    def _shift(self) -> int:
        return self._parts.clock.shift_seconds()

    def _say(self, error: str) -> None:
        """Log once for each change of state."""
        if bool(error) != bool(self._store_error):
            log.warning("alerts_store_%s error=%r", "away" if error else "back", error)
        self._store_error = error


def _give(over: asyncio.Future[Delivery], delivery: Delivery) -> None:
    if not over.done():
        over.set_result(delivery)
