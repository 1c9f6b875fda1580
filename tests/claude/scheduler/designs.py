"""Four ways to bring asks to the API: each at once, at most eight at a time, the guide's batches, and the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from core.claude.messages import Ask
from core.claude.scheduler import Scheduler
from core.errors import ClaudeError, ClaudeRateLimited
from core.tasks import end_tasks
from tests.claude.scheduler.upstream import Upstream
from tests.virtual_time import now, pass_time

CALLER_SECONDS = 10.0  # What the guide's caller waits for.
SDK_RETRIES = 2


class Design(Protocol):
    """Answers an ask or raises."""

    async def run(self, ask: Ask) -> object:
        """The answer."""

    async def close(self) -> None:
        """End what runs."""


class Direct:
    """Every ask at once, with the retries that the SDK makes by itself (2, retry-after honoured)."""

    def __init__(self, upstream: Upstream, at_once: int | None = None) -> None:
        self._upstream = upstream
        self._slots = asyncio.Semaphore(at_once or 1_000_000)

    async def run(self, ask: Ask) -> object:
        """As a caller that waits ten seconds."""
        async with asyncio.timeout(CALLER_SECONDS), self._slots:
            return await call(self._upstream, ask)

    async def close(self) -> None:
        """Nothing runs by itself."""


class Guide:
    """The guide's OptimizedClaudeService: batches of five or 100 ms, whose calls one worker awaits one after another."""

    batch_size, batch_seconds = 5, 0.1

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._queue: asyncio.Queue[tuple[Ask, asyncio.Future[object]]] = asyncio.Queue(maxsize=1000)
        self._worker = asyncio.create_task(self._work())

    async def run(self, ask: Ask) -> object:
        """As a caller that waits ten seconds; its call is made even when it has gone."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        await self._queue.put((ask, future))
        return await asyncio.wait_for(future, timeout=CALLER_SECONDS)

    async def close(self) -> None:
        """End the worker."""
        await end_tasks([self._worker])

    async def _work(self) -> None:
        while True:
            batch: list[tuple[Ask, asyncio.Future[object]]] = []
            started = now()
            while len(batch) < self.batch_size and now() - started < self.batch_seconds:
                try:
                    batch.append(await asyncio.wait_for(self._queue.get(), timeout=0.01))
                except asyncio.TimeoutError:  # noqa: UP041  # as the guide has it
                    break
            for ask, future in batch:
                with suppress(ClaudeError):
                    answer = await call(self._upstream, ask)
                    if not future.done():
                        future.set_result(answer)
            await pass_time(0.001)


class Ours:
    """The scheduler itself."""

    def __init__(self, upstream: Upstream) -> None:
        self.scheduler = Scheduler(upstream.send)

    async def run(self, ask: Ask) -> object:
        """Until the ask's own deadline."""
        return await self.scheduler.run(ask)

    async def close(self) -> None:
        """End what is left."""
        await self.scheduler.close()


DESIGNS: dict[str, Callable[[Upstream], Design]] = {
    "guide: 5 or 100 ms, one worker": Guide,
    "direct": Direct,
    "direct, semaphore 8": lambda upstream: Direct(upstream, 8),
    "ours": Ours,
}


async def call(upstream: Upstream, ask: Ask) -> object:
    """A call as the SDK makes it: tried again after a 429, twice."""
    for attempt in range(SDK_RETRIES + 1):
        try:
            return await upstream.send(ask, ask.request, CALLER_SECONDS, None, lambda _: None)
        except ClaudeRateLimited as error:
            if attempt == SDK_RETRIES:
                raise
            await pass_time(error.retry_after_seconds or 0.5)
    raise AssertionError
