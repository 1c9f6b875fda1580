"""Milestones: what happened for the first time, remembered in the console's store.

Owns the writing in the background, so that whoever notes a milestone never waits. Refuses to lose one to an outage: it is
written when the store is back.
"""

from __future__ import annotations

import asyncio
import logging

from core.database.pool import Database
from core.errors import CoreError
from core.setup import Setup
from core.tasks import end_tasks

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class Milestones:
    """Notes milestones from any thread."""

    def __init__(self, store: Database, setup: Setup) -> None:
        self._store = store
        self._setup = setup
        self._noted: set[str] = set()
        self._unwritten: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the writer."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._write(), name="milestones")

    async def close(self) -> None:
        """Stop the writer."""
        if self._task is not None:
            await end_tasks([self._task])

    def reach(self, name: str, detail: str = "") -> None:
        """Note that something happened; later times in this process cost a set lookup."""
        if name in self._noted or self._loop is None:
            return
        self._noted.add(name)
        self._loop.call_soon_threadsafe(self._unwritten.put_nowait, (name, detail))

    async def reached(self) -> frozenset[str]:
        """The names of all that was ever reached; none before the store has its tables."""
        if not self._setup.finished.is_set():
            return frozenset()
        return frozenset(row["name"] for row in await self._store.fetch_all("milestones"))

    async def _write(self) -> None:
        await self._setup.finished.wait()
        while True:
            milestone = await self._unwritten.get()
            while not await self._written(*milestone):
                await asyncio.sleep(RETRY_SECONDS)

    async def _written(self, name: str, detail: str) -> bool:
        try:
            await self._store.execute("reach_milestone", name, detail)
        except CoreError as error:
            log.warning("milestone_not_written name=%s error=%r", name, str(error))
            return False
        return True
