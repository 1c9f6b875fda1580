"""Admission: who gets the next free slot of a fixed number, first come, first served.

Owns the queue in front of a pool. asyncpg's own lets newcomers overtake those who wait (MagicStack/asyncpg#1247); here a slot
that becomes free is handed to the one who waits longest. Taking a free slot and giving one back are O(1).
"""

from __future__ import annotations

import asyncio
from collections import deque


class Admission:
    """Slots of one event loop."""

    __slots__ = ("_waiters", "free", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiters)

    def enter_at_once(self) -> bool:
        """Take a slot if one is free; nobody waits then, since a free slot goes to who waits."""
        if self.free:
            self.free -= 1
            return True
        return False

    async def enter(self, timeout_seconds: float | None = None) -> None:
        """Take a slot, or wait for it, for ever without a time; raises TimeoutError."""
        if self.enter_at_once():
            return
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = None if timeout_seconds is None else loop.call_later(timeout_seconds, _expire, waiter)
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave()  # The slot came in the same turn of the loop as the cancellation.
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def dismiss(self) -> None:
        """Send everybody away who waits: `enter` raises ConnectionAbortedError."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(ConnectionAbortedError())

    async def drain(self) -> None:
        """Take every slot: all who have one, or wait for one already, come first."""
        for _ in range(self.size):
            await self.enter()

    def leave(self) -> None:
        """Give a slot back: to the one who waits longest, if anybody does."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.free += 1


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
