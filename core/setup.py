"""Setup: what must be true of the stores before the console can serve them, done at every start.

Owns the order: the console's own schema, then on the embedded database only the platform's tables and the sample data. Refuses
to touch a watched database: nothing is created there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg

from core import __version__, sample
from core.database import migrations
from core.database.pool import Database
from core.errors import CoreError
from core.health import Health
from core.settings import Settings
from core.tasks import end_tasks

log = logging.getLogger(__name__)

SETUP_LOCK = 0x6A6F7267  # Any fixed number: two consoles that start together take turns.
LOCK_POLL_SECONDS = 0.2
RETRY_FIRST_SECONDS = 2.0
RETRY_MOST_SECONDS = 30.0

StepState = Literal["waiting", "running", "done", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step: its state, how far it is (`done` of `total` rows, 0 = unknown) and, when it failed, what to do."""

    name: str
    title: str
    state: StepState = "waiting"
    detail: str = ""
    done: int = 0
    total: int = 0
    next_step: str = ""
    duration_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stores:
    """The two databases, their URLs, and under which name Health watches the server of the console's own."""

    platform: Database
    platform_url: str
    console: Database
    console_url: str
    console_dependency: str


class Setup:
    """Runs the steps once, and again after a failure, until all are done."""

    def __init__(
        self, settings: Settings, stores: Stores, health: Health, *, records_start: bool, changed: Callable[[], Awaitable[None]]
    ) -> None:
        """`changed` is called when rows were added: what was answered before is old."""
        self._records_start = records_start
        self._changed = changed
        self._settings = settings
        self._stores = stores
        self._health = health
        self._task: asyncio.Task[None] | None = None
        self._steps = {
            "console_schema": SetupStep("console_schema", "Schema of the console's store"),
            "platform_schema": SetupStep("platform_schema", "Tables of the platform"),
            "sample_data": SetupStep("sample_data", "Sample data"),
        }
        self.finished = asyncio.Event()

    async def open(self) -> None:
        """Start in the background; a server that is down delays it, and fails nothing."""
        self._task = asyncio.create_task(self._run_until_done(), name="setup")

    async def close(self) -> None:
        """Stop; a load that is under way rolls back."""
        if self._task is not None:
            await end_tasks([self._task])

    def snapshot(self) -> tuple[SetupStep, ...]:
        """The steps as they stand; safe from any thread."""
        return tuple(self._steps.values())

    async def _run_until_done(self) -> None:
        wait_seconds = RETRY_FIRST_SECONDS
        while True:
            try:
                await self._run()
                self.finished.set()
                return
            except CoreError as error:
                log.warning("setup_failed error=%r retry_seconds=%s", str(error), wait_seconds)
            except Exception as error:
                log.exception("setup_crashed")
                self._fail_running(
                    f"{type(error).__name__}: {error}", "Report this with the log; the console tries again by itself."
                )
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, RETRY_MOST_SECONDS)

    async def _run(self) -> None:
        await self._health.wait_up(self._stores.console_dependency)
        async with self._turn():
            await self._step("console_schema", self._console_schema)
            if self._settings.database_embedded:
                await self._health.wait_up("postgresql")
                await self._step("platform_schema", self._platform_schema)
                await self._step("sample_data", self._sample_data)
            else:
                for name in ("platform_schema", "sample_data"):
                    self._update(name, state="skipped", detail="Nothing is created in a watched database.")
        if self._records_start:
            place = (socket.gethostname(), os.getpid(), self._settings.environment)
            await self._stores.console.execute("record_start", __version__, *place)

    async def _console_schema(self) -> str:
        made = await migrations.upgrade("console", self._stores.console_url)
        return "Brought up to date." if made else "Up to date."

    async def _platform_schema(self) -> str:
        made = await migrations.upgrade("platform", self._stores.platform_url)
        return "Brought up to date." if made else "Up to date."

    async def _sample_data(self) -> str:
        if not self._settings.sample_data:
            return "Left out: SAMPLE_DATA is off."
        connection = await self._stores.platform.connect()
        try:
            return await self._load_or_top_up(connection)
        finally:
            connection.terminate()

    async def _load_or_top_up(self, connection: asyncpg.Connection[asyncpg.Record]) -> str:
        now = datetime.now(UTC)
        if await self._stores.platform.fetch_value("platform_is_empty"):
            size = sample.SampleSize(
                leads=self._settings.sample_leads,
                interactions=self._settings.sample_interactions,
                properties=self._settings.sample_properties,
            )
            try:
                seed = self._settings.sample_seed
                report = await sample.load(connection, size=size, seed=seed, now=now, progress=self._progress)
            finally:  # The rows may be there although the rest failed.
                await self._changed()
            return f"{report.rows:,} rows loaded."
        topped_up = await sample.top_up(connection, now=now)
        if topped_up.rows:
            await self._changed()
        return f"{topped_up.rows:,} rows added up to now." if topped_up.rows else "Runs up to now."

    def _progress(self, what: str, done: int, total: int) -> None:
        self._update("sample_data", detail=what.replace("_", " "), done=done, total=total)

    async def _step(self, name: str, work: Callable[[], Awaitable[str]]) -> None:
        if self._steps[name].state == "done":
            return
        started = time.perf_counter()
        self._update(name, state="running", detail="", next_step="")
        try:
            detail = await work()
        except CoreError as error:
            self._fail_running(str(error), error.next_step)
            raise
        self._update(name, state="done", detail=detail, duration_seconds=time.perf_counter() - started)

    def _fail_running(self, message: str, next_step: str) -> None:
        for step in self.snapshot():
            if step.state == "running":
                self._update(step.name, state="failed", detail=message, next_step=next_step)

    def _update(self, name: str, **changes: Any) -> None:
        self._steps[name] = replace(self._steps[name], **changes)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold the setup lock of the console's store; polled, because a blocked lock call would hold a snapshot open."""
        connection = await self._stores.console.connect()
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", SETUP_LOCK):
                await asyncio.sleep(LOCK_POLL_SECONDS)
            yield
        finally:
            connection.terminate()
