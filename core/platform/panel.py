"""Panel: one piece of a page, with the age of its data and the reason when it is stale; Kept loads and keeps it.

Owns the rule that a page never waits for a server that is down: the last good value stays, with its age and the error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from core.errors import CoreError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Panel(Generic[T_co]):
    """A value, its age in seconds, and why it could not be renewed; value None: there never was one."""

    value: T_co | None = None
    age_seconds: float = 0.0
    error: str = ""
    next_step: str = ""


async def within(work: Coroutine[Any, Any, T], timeout_seconds: float = 2.0) -> Panel[T]:
    """What is answered in the time that a page can wait, or why it was not."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return Panel(await work)
    except TimeoutError:
        return Panel(error=f"No answer within {timeout_seconds:g} s.", next_step="Look at the load of the server.")
    except CoreError as error:
        return Panel(error=str(error), next_step=error.next_step)


class Kept(Generic[T]):
    """Loads a value at most once in `max_age_seconds`, for all who ask; bound to one event loop."""

    def __init__(self, load: Callable[[], Awaitable[T]], max_age_seconds: float, timeout_seconds: float = 2.0) -> None:
        self._load = load
        self._max_age_seconds = max_age_seconds
        self._timeout_seconds = timeout_seconds
        self._panel: Panel[T] = Panel()
        self._loaded_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self) -> Panel[T]:
        """The value, renewed when it is too old; raises nothing for a server that is down."""
        async with self._lock:
            if time.monotonic() - self._tried_at >= self._max_age_seconds:
                await self._renew()
        age_seconds = time.monotonic() - self._loaded_at if self._panel.value is not None else 0.0
        return replace(self._panel, age_seconds=age_seconds)

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                value = await self._load()
            self._panel = Panel(value)
            self._loaded_at = self._tried_at = time.monotonic()
        except TimeoutError:
            self._failed(f"No answer within {self._timeout_seconds:g} s.", "Look at the load of the server.")
        except CoreError as error:
            self._failed(str(error), error.next_step)

    def _failed(self, error: str, next_step: str) -> None:
        # A failure is tried again at the next look: the value is wanted as soon as the server is back.
        self._panel = replace(self._panel, error=error, next_step=next_step)
