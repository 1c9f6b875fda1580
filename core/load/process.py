"""The process that makes a load: what ends it beside its plan, and what it needs of the operating system.

A load ends early on SIGINT and SIGTERM, and when the process that started it is gone: traffic that nobody waits for must not go
on.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from core.errors import LoadError
from core.load.client import Client, require_allowed
from core.load.generator import OnProgress, generate
from core.load.plan import LoadPlan, require_address
from core.load.report import LoadReport
from core.load.scenarios import Request, learn, requests
from core.load.schedule import draw
from core.settings import Settings

OPEN_FILES = 8_192  # For 2,000 users and the 4,000 requests that may be under way.
PARENT_POLL_SECONDS = 0.5
T = TypeVar("T")


async def make_load(settings: Settings, plan: LoadPlan, typed: str | None, on_progress: OnProgress) -> LoadReport | None:
    """Learn what to ask, ask it, report; None when it was ended before the first request.

    Raises TargetError, DependencyError or LoadError when there is nothing to begin with.
    """
    require_address(settings, plan.address, typed)
    _allow_open_files(plan)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    orphaned = asyncio.create_task(_stop_without_parent(stop), name="load-parent")
    try:
        asked = await _unless(stop, _learn(settings, plan, typed))
        if asked is None:
            return None
        schedule = draw(plan, [request.weight for request in asked])
        gc.freeze()  # A full collection over the schedule would look like a slow server.
        return await generate(plan, asked, schedule, stop=stop, on_progress=on_progress)
    finally:
        orphaned.cancel()


async def _learn(settings: Settings, plan: LoadPlan, typed: str | None) -> Sequence[Request]:
    async with Client(plan.address) as client:
        await require_allowed(client, settings, plan, typed)
        return requests(await learn(client.get_items), plan.address, events=plan.events)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work returns, or None when `stop` comes first; the work is then cancelled."""
    task, stopping = asyncio.create_task(work, name="load-learn"), asyncio.create_task(stop.wait(), name="load-stop")
    await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


async def _stop_without_parent(stop: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_POLL_SECONDS)
    stop.set()


def _allow_open_files(plan: LoadPlan) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if allowed < plan.users + 100:
        message = f"{plan.users:,} users need as many connections, but a process may open {allowed:,} files here."
        raise LoadError(message, f"Allow more (ulimit -n {OPEN_FILES}), or take fewer users.")
    if soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
