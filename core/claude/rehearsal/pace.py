"""Pace: the time that an answer takes, kept on an injected clock, and the client's own patience.

Owns that a client which waits longer than its read timeout gets the HTTP library's ReadTimeout, as from a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2


class Pace:
    """The time of one answer."""

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        read_timeout_seconds: float | None,
        tokens_per_second: float,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._timeout = read_timeout_seconds
        self._seconds_per_token = 1 / tokens_per_second
        self._begun_at = clock()

    @property
    def instant(self) -> bool:
        """Whether tokens take no time."""
        return self._seconds_per_token == 0

    async def wait(self, seconds: float) -> None:
        """Let so much time pass; raises ReadTimeout when the client's patience ends first."""
        if seconds <= 0:
            return
        if self._timeout is not None and seconds > self._timeout:
            await self._sleep(self._timeout)
            raise httpx2.ReadTimeout("The rehearsal did not answer in time.")
        await self._sleep(seconds)

    def begin(self) -> None:
        """The first token is due now."""
        self._begun_at = self._clock()

    async def written(self, tokens: int) -> None:
        """Wait until so many tokens are written; a sleep that was too long is made up for by the next."""
        due = tokens * self._seconds_per_token
        if due:
            await self.wait(self._begun_at + due - self._clock())

    async def never(self) -> None:
        """Wait until the client gives up: ReadTimeout, or its cancellation where it has no timeout."""
        if self._timeout is None:
            await asyncio.get_running_loop().create_future()
            return
        await self._sleep(self._timeout)
        raise httpx2.ReadTimeout("The rehearsal never answers this request.")
