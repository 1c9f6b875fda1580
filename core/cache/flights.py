"""Flights: at most one load of a key at a time, each in a task of its own.

Owns those tasks. A caller that is cancelled leaves; the load goes on for the others, and for the cache. Only a paid load ends
with its last waiter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.errors import DependencyDown
from core.tasks import end_tasks

T = TypeVar("T")


class StillLoading(Exception):
    """The load takes longer than the caller waits; it goes on."""


@dataclass(slots=True, eq=False)
class Flight(Generic[T]):
    """One load under way."""

    key: str
    task: asyncio.Task[T]
    tags: tuple[str, ...]
    paid: bool
    waiters: int = 0


class Flights(Generic[T]):
    """The loads of this process by key; bound to one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, key: str) -> Flight[T] | None:
        """The load of a key that new readers may join."""
        return self._flights.get(key)

    def start(
        self, key: str, work: Callable[[], Coroutine[Any, Any, T]], *, tags: tuple[str, ...] = (), paid: bool = False
    ) -> Flight[T]:
        """Start a load; `get` finds it until it has ended or is forgotten."""
        task = asyncio.get_running_loop().create_task(work(), name=f"cache load {key[:80]}")
        flight = self._flights[key] = Flight(key, task, tags, paid)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._ended(flight))
        return flight

    async def wait(self, flight: Flight[T], timeout_seconds: float | None = None) -> T:
        """The result of a load, or its error; raises StillLoading and leaves the load running."""
        flight.waiters += 1
        try:
            done, _ = await asyncio.wait({flight.task}, timeout=timeout_seconds)
        finally:
            flight.waiters -= 1
            if flight.paid and not flight.waiters and not flight.task.done():
                self.forget(flight.key)
                flight.task.cancel()
        if not done:
            raise StillLoading
        if flight.task.cancelled():
            raise DependencyDown("The load was ended: the cache is closing.")
        return flight.task.result()

    def forget(self, key: str) -> None:
        """Let nobody new join the load of this key: what it brings is from before a change."""
        self._flights.pop(key, None)

    def forget_tag(self, tag: str) -> None:
        """... nor any load with this tag."""
        for key in [key for key, flight in self._flights.items() if tag in flight.tags]:
            del self._flights[key]

    def forget_all(self) -> None:
        """... nor any load."""
        self._flights.clear()

    async def close(self) -> None:
        """End every load."""
        await end_tasks(list(self._tasks))

    def _ended(self, flight: Flight[T]) -> None:
        self._tasks.discard(flight.task)
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        if not flight.task.cancelled():
            flight.task.exception()  # Marks it as seen: with no waiter left there is nobody to tell.
