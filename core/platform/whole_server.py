"""WholeServer: the second source of a promise: what PostgreSQL and Redis say of all their users in the last five minutes.

Owns the looks, one every ten seconds, and what is made of the difference of two. Refuses counts since the start, which hide a
dip, to call a mean a percentile, and to create anything on a server that is watched.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from core.cache.redis_tier import RedisTier
from core.database.server_counts import ServerCounter
from core.errors import CoreError
from core.health import DependencyStatus
from core.platform.server_database import DatabaseWindow
from core.platform.server_figure import WINDOW_SECONDS, ServerFigure, none
from core.platform.server_redis import RedisWindow
from core.tasks import end_tasks

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
TIMEOUT_SECONDS = 2.0


class ServerWindow(Protocol):
    """What is looked at on one server."""

    def nothing(self) -> Mapping[str, ServerFigure]:
        """The figures before the first look."""
        ...

    async def look(self, clock: Callable[[], float]) -> Mapping[str, ServerFigure]:
        """The figures now; raises CoreError."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last look at one server found, when, and why there is no newer one."""

    figures: Mapping[str, ServerFigure]
    at: float
    problem: str = ""


class WholeServer:
    """Bound to the loop that opened it; `figures` is safe from any thread."""

    def __init__(
        self,
        counter: ServerCounter,
        redis: RedisTier,
        dependencies: Callable[[], tuple[DependencyStatus, ...]],
        *,
        looks: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`looks` is False for a process that only serves the API."""
        self._dependencies, self._looks, self._clock = dependencies, looks, clock
        self._windows: Mapping[str, ServerWindow] = {"postgresql": DatabaseWindow(counter), "redis": RedisWindow(redis)}
        now = clock()
        self._known = {name: _Known(window.nothing(), now) for name, window in self._windows.items()}
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start looking, in the console."""
        if self._looks and self._task is None:
            self._task = asyncio.create_task(self._run(), name="whole server")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None

    def figures(self) -> Mapping[str, ServerFigure]:
        """The figure beside each promise that has one, by the name of its rule; no I/O."""
        now = self._clock()
        found: dict[str, ServerFigure] = {}
        for known in tuple(self._known.values()):
            age_seconds = now - known.at
            for rule, figure in known.figures.items():
                kept = none(figure, "") if known.problem and age_seconds > WINDOW_SECONDS else figure
                found[rule] = replace(kept, age_seconds=age_seconds, note=f"{known.problem} {kept.note}".strip())
        return found

    async def look(self) -> None:
        """Look at both servers once; one that is down is not asked, so that nothing waits for it."""
        down = {item.name: item for item in self._dependencies() if item.state == "down"}
        await asyncio.gather(*(self._look(name, down.get(name)) for name in self._windows))

    async def _look(self, name: str, down: DependencyStatus | None) -> None:
        known = self._known[name]
        problem = f"{down.error.rstrip('.')}. {down.next_step}" if down else ""
        if not problem:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    figures = await self._windows[name].look(self._clock)
                self._known[name] = _Known(figures, self._clock())
            except TimeoutError:
                problem = f"No answer within {TIMEOUT_SECONDS:g} s."
            except CoreError as error:
                problem = f"{str(error).rstrip('.')}. {error.next_step}"
        if problem:
            self._known[name] = _Known(known.figures, known.at, problem.strip())

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("whole_server_crashed")
            await asyncio.sleep(LOOK_SECONDS)
