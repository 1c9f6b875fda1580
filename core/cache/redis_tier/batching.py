"""Batcher: what is asked in one turn of the loop goes to Redis in one round trip.

Owns the turn. Refuses to let one caller's cancellation reach the others: a batch of more than one runs in a task of its own,
and only a lone caller runs its own.
"""

from __future__ import annotations

import asyncio
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from core.tasks import end_tasks

Item = TypeVar("Item")

_Waiting = list[tuple[Item, asyncio.Future[Any]]]


class Batcher(Generic[Item]):
    """Bound to one event loop; `run` gives one reply for each item, in order."""

    def __init__(self, name: str, run: Callable[[list[Item]], Awaitable[Sequence[Any]]]) -> None:
        self._name = name
        self._run = run
        self._waiting: _Waiting[Item] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, item: Item) -> Awaitable[Any]:
        """The reply to this item, or the error that stands in its place."""
        waiting = self._waiting
        if waiting is None:
            return self._lead(item)
        # No coroutine and no further call for those who join: with a hundred of them each layer counts.
        future = get_running_loop().create_future()
        waiting.append((item, future))
        return future

    async def _lead(self, item: Item) -> Any:
        if self._waiting is not None:  # Another began between the call and the await.
            return await self.submit(item)
        waiting: _Waiting[Item] = []
        self._waiting = waiting
        try:
            await asyncio.sleep(0)  # Whoever runs in the same turn joins.
        except asyncio.CancelledError:
            if waiting:
                self._start(waiting)
            raise
        finally:
            self._waiting = None
        if not waiting:
            return (await self._replies([item]))[0]
        mine = get_running_loop().create_future()
        waiting.append((item, mine))
        self._start(waiting)
        return await mine

    async def close(self) -> None:
        """End what is under way; those who wait are told that the connection is closed."""
        await end_tasks(self._tasks)

    def _start(self, waiting: _Waiting[Item]) -> None:
        task = get_running_loop().create_task(self._answer(waiting), name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, waiting: _Waiting[Item]) -> None:
        replies: Sequence[Any] = [RedisConnectionError("The cache's connections are closed.")] * len(waiting)
        try:
            replies = await self._replies([item for item, _ in waiting])
        except Exception as error:
            replies = [error] * len(waiting)
            raise
        finally:
            for (_, future), reply in zip(waiting, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    async def _replies(self, items: list[Item]) -> Sequence[Any]:
        try:
            return await self._run(items)
        except (OSError, RedisError) as error:
            return [error] * len(items)
