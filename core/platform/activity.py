"""Activity: what the activity page shows of the operations of all processes.

Owns the view objects of that page. Refuses to fail with the store: what ran in this process is known without it, and the rest
keeps its age.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from core.errors import CoreError
from core.operations import Choices, Operation, Operations, State
from core.operations.export import to_csv
from core.platform.panel import Kept, Panel

T = TypeVar("T")
TIMEOUT_SECONDS = 2.0
SLOW_NEXT_STEP = "Look at the load of the server."
RUNNING_MAX_AGE_SECONDS = 1.0
CHOICES_MAX_AGE_SECONDS = 2.0
RUNNING_MOST = 100
PAGE_SIZE = 25
EXPORT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Filters:
    """Which operations are wanted; None means all."""

    kind: str | None = None
    state: State | None = None
    operator: str | None = None
    before_id: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """What runs now in all processes, and the newest operation there is, running or over."""

    operations: tuple[Operation, ...]
    newest: Operation | None


@dataclass(frozen=True, slots=True)
class History:
    """One page of operations, newest first; `more` tells whether there are older ones."""

    operations: tuple[Operation, ...]
    more: bool


class Activity:
    """Loads the activity page's views."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._running = Kept(self._load_running, RUNNING_MAX_AGE_SECONDS)
        self._choices = Kept(operations.choices, CHOICES_MAX_AGE_SECONDS)

    async def running(self) -> Panel[Running]:
        """What runs now; while the store is away, what runs in this process is still up to date."""
        panel = await self._running.get()
        here = {operation.id: operation for operation in self._operations.running_here()}
        known = panel.value or Running((), None)
        others = tuple(operation for operation in known.operations if operation.id not in here)
        operations = sorted((*here.values(), *others), key=lambda operation: -operation.id)
        return replace(panel, value=Running(tuple(operations), known.newest)) if panel.value or here else panel

    async def history(self, filters: Filters) -> Panel[History]:
        """One page of what these filters let through."""
        return await _within(self._load_history(filters))

    async def choices(self) -> Choices:
        """What the filters can be set to; as last known while the store is away."""
        return (await self._choices.get()).value or Choices((), ())

    async def operation(self, operation_id: int) -> Panel[Operation]:
        """One operation, or why it cannot be shown."""
        return await _within(self._operations.get(operation_id))

    async def export(self, filters: Filters) -> str:
        """The newest 10,000 of what these filters let through, as CSV."""
        return to_csv(await self._list(replace(filters, before_id=None), EXPORT_MOST))

    async def _load_history(self, filters: Filters) -> History:
        found = await self._list(filters, PAGE_SIZE + 1)
        return History(found[:PAGE_SIZE], more=len(found) > PAGE_SIZE)

    async def _list(self, filters: Filters, limit: int) -> tuple[Operation, ...]:
        return await self._operations.list(
            limit=limit, kind=filters.kind, state=filters.state, operator=filters.operator, before_id=filters.before_id
        )

    async def _load_running(self) -> Running:
        running = await self._operations.list(state="running", limit=RUNNING_MOST)
        newest = await self._operations.list(limit=1)
        return Running(running, newest[0] if newest else None)


async def _within(work: Coroutine[Any, Any, T]) -> Panel[T]:
    """What the store answers in the time that a page can wait, or why it did not."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return Panel(await work)
    except TimeoutError:
        return Panel(error=f"The console's store gave no answer within {TIMEOUT_SECONDS:g} s.", next_step=SLOW_NEXT_STEP)
    except CoreError as error:
        return Panel(error=str(error), next_step=error.next_step)
