"""Blocked: one session that holds a lock in an open transaction, and one that waits for it, as long as a block lasts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg

from tests.servers import fetch_value
from tests.support import wait_until

HOLDER, WAITER = "holder of the test", "waiter of the test"
# The view is of the whole server: the same scene may be played in another test's database.
WAITS = f"SELECT wait_event_type FROM pg_stat_activity WHERE application_name = '{WAITER}' AND datname = current_database()"


@dataclass
class Blocked:
    """Their numbers, and what the waiter was told at the end."""

    holder: int = 0
    waiter: int = 0
    errors: list[Exception] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def blocked(url: str) -> Iterator[Blocked]:
    """The waiter waits when the block begins."""
    scene, end = Blocked(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_play(url, scene, end)), name="blocked-scene")
    thread.start()
    try:
        wait_until(lambda: fetch_value(url, WAITS) == "Lock")
        yield scene
    finally:
        end.set()
        thread.join(10)


async def _play(url: str, scene: Blocked, end: threading.Event) -> None:
    holder = await asyncpg.connect(url, server_settings={"application_name": HOLDER})
    waiter = await asyncpg.connect(url, server_settings={"application_name": WAITER})
    scene.holder, scene.waiter = holder.get_server_pid(), waiter.get_server_pid()
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE leads")
            waiting = asyncio.create_task(_wait(waiter, scene))
            await asyncio.to_thread(end.wait, 60)
        await waiting
    finally:
        holder.terminate()
        waiter.terminate()


async def _wait(waiter: asyncpg.Connection[asyncpg.Record], scene: Blocked) -> None:
    try:
        await waiter.execute("SELECT count(*) FROM leads")
    except asyncpg.PostgresError as error:
        scene.errors.append(error)
    scene.over.set()
