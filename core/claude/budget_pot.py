"""BudgetPot: what one process may spend of one budget on one day, leased from the console's store.

Owns the lease. A lease is taken by one atomic statement and counts as spent in the store until it is given back, so that
processes that never speak to each other cannot exceed the budget together. Refuses to lend without the store.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import date

from core.errors import CoreError, DependencyTimeout
from core.ports import Rows
from core.tasks import end_tasks

LEASE_SHARE = 0.01  # Of the budget at once: a process that is killed takes no more than this with it, until its day ends.
STORE_SECONDS = 2.0  # That an ask may wait for the store.
AGAIN_SECONDS = 1.0  # For so long an answer that there is nothing left, or no store, holds for all who ask here.
ROUNDING_USD = 1e-12  # Sums of binary fractions.


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is nothing to be had: the store's error, or None when the budget is used up; for asks of `usd` or more."""

    usd: float
    until: float
    error: CoreError | None


class BudgetPot:
    """One lease. `free_usd` is what may still be reserved here, `taken_usd` what the store counted when it last answered.

    `told_at` is when that was, by the monotonic clock; None before the first answer.
    """

    def __init__(self, store: Rows, scope: str, operator: str, day: date, limit_usd: float) -> None:
        self.scope = scope
        self.operator = operator
        self.day = day
        self.limit_usd = limit_usd
        self.free_usd = 0.0
        self.taken_usd = 0.0
        self.reserved = 0
        self.told_at: float | None = None
        self._waiting = 0
        self._used_at = time.monotonic()
        self._store = store
        self._refill: asyncio.Task[None] | None = None
        self._refusal: Refusal | None = None

    @property
    def refusal(self) -> Refusal | None:
        """Why the last ask got nothing; None after one that did."""
        return self._refusal

    @property
    def idle_seconds(self) -> float:
        """For how long nothing was drawn; 0 while something is."""
        return 0.0 if self.reserved or self._waiting else time.monotonic() - self._used_at

    async def draw(self, usd: float) -> bool:
        """Take this much out of the lease, which is made larger where it has to be; False with `refusal` when it cannot be."""
        self._waiting += 1
        try:
            while not self._drawn(usd):
                if self._refused(usd):
                    return False
                if self._refill is None or self._refill.done():
                    self._refill = asyncio.create_task(self._lease(usd - self.free_usd), name="claude budget")
                await asyncio.shield(self._refill)  # An ask that is cancelled leaves the others their lease.
        finally:
            self._waiting -= 1
        return True

    def put_back(self, usd: float) -> None:
        """Return what a reservation did not use; less than nothing where it used more."""
        self.free_usd += usd
        self.reserved -= 1
        if usd > 0:
            self._refusal = None

    async def give_back(self) -> None:
        """Return what is free to the store. Where the answer is lost it stays counted as spent: never too little."""
        usd, self.free_usd = self.free_usd, 0.0
        if usd:
            async with asyncio.timeout(STORE_SECONDS):
                self._told(await self._store.fetch_value("claude_budget_give", self.day, self.scope, self.operator, usd))

    async def look(self) -> None:
        """Read what the store counts, which other processes change too."""
        async with asyncio.timeout(STORE_SECONDS):
            self._told(await self._store.fetch_value("claude_budget_taken", self.day, self.scope, self.operator))

    async def close(self) -> None:
        """Wait for a lease that is being taken, then give back."""
        if self._refill is not None:
            await asyncio.wait([self._refill], timeout=STORE_SECONDS)
            await end_tasks([self._refill])
        await self.give_back()

    def _told(self, taken_usd: float | None) -> None:
        self.taken_usd, self.told_at = taken_usd or 0.0, time.monotonic()

    def _drawn(self, usd: float) -> bool:
        if self.free_usd + ROUNDING_USD < usd:
            return False
        self.free_usd -= usd
        self.reserved += 1
        self._used_at = time.monotonic()
        self._refusal = None
        return True

    def _refused(self, usd: float) -> bool:
        refusal = self._refusal
        if refusal is None or time.monotonic() >= refusal.until:
            return False
        return refusal.error is not None or usd - self.free_usd >= refusal.usd

    async def _lease(self, usd: float) -> None:
        """Take `usd` or more: a share of the budget, and near its end no more than a quarter of what is left."""
        lease = max(usd, self.limit_usd * LEASE_SHARE)
        error: CoreError | None = None
        try:
            async with asyncio.timeout(STORE_SECONDS):
                row = await self._store.fetch_one(
                    "claude_budget_take", self.day, self.scope, self.operator, self.limit_usd, usd, lease
                )
                if row is not None:
                    self.free_usd += row["granted_usd"]
                    self._told(row["taken_usd"])
                    return
            await self.look()
        except TimeoutError:
            error = DependencyTimeout("The console's store did not answer in time.")
        except CoreError as caught:
            error = caught
        self._refusal = Refusal(usd, time.monotonic() + AGAIN_SECONDS, error)
