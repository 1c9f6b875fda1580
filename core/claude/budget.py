"""Budget: what may be spent in a day (UTC), checked before anything is sent, over all processes.

Owns the hard end. Every send first reserves the most that it can cost, and gives back what it did not cost when it is over.
Refuses rather than guesses: without the console's store a process goes on with what it had leased, and then sends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Literal

from core.claude.budget_pot import AGAIN_SECONDS, BudgetPot
from core.claude.costs import Prices
from core.claude.messages import Ask, AttemptRecord, MessageRequest, Scope
from core.errors import ClaudeDown, ClaudeOverBudget, CoreError
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

BudgetState = Literal["fine", "warning", "used_up"]

WARNING_SHARE = 0.8
EVERYBODY = ""  # The operator's name of the budget in total.
IDLE_SECONDS = 60.0  # Unused for so long, a lease goes back to the store.
KEEP_SECONDS = 15.0
# How an exchange ended whose usage is all that is paid for. An error status costs nothing, nor does an answer that is none of
# the Messages API, nor what never reached it; what timed out, was dropped or cut off may have cost anything up to its bound.
COUNTED = frozenset({"ok", "refused", "truncated", "thinking_only", "invalid"})


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStats:
    """One budget of today as this process knows it, in dollars.

    `taken_usd` is what the store last counted as spent or leased, by all processes; `free_usd` is the part of it that lies
    unspent here; `unknown_usd` was kept here for exchanges whose cost nobody can tell.
    """

    scope: Scope
    operator: str
    limit_usd: float
    taken_usd: float
    free_usd: float
    in_flight: int
    unknown_usd: float
    state: BudgetState
    resets_at: datetime
    age_seconds: float | None  # Of what the store last told; None: it has not told yet.
    store_error: str = ""

    @property
    def spent_usd(self) -> float:
        """Spent, in flight, or leased by another process."""
        return max(0.0, self.taken_usd - self.free_usd)


class Reservation:
    """The most that one send can cost, held until it is settled."""

    def __init__(self, usd: float, pots: tuple[BudgetPot, ...], budget: Budget) -> None:
        self.usd = usd
        self._pots = pots
        self._budget = budget

    def settle(self, record: AttemptRecord | None) -> float:
        """Give back what the exchange did not cost, once; None means that nothing was sent. Returns what is kept."""
        pots, self._pots = self._pots, ()
        charged = self._budget.charged_usd(record)
        kept = self.usd if charged is None else charged
        for pot in pots:
            pot.put_back(self.usd - kept)
        if pots and charged is None:
            self._budget.count_unknown(kept)
        return kept


class Budget:
    """The budgets of one scope: in total, and of each operator where one is set. Bound to the loop that opened it."""

    def __init__(
        self,
        store: Rows,
        prices: Prices,
        *,
        scope: Scope,
        day_usd: float,
        operator_day_usd: float | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._store = store
        self._prices = prices
        self._scope: Scope = scope
        self._day_usd = day_usd
        self._operator_day_usd = operator_day_usd
        self._now = now
        self._pots: dict[tuple[date, str], BudgetPot] = {}
        self._warned: set[tuple[date, str]] = set()
        self._unknown_usd = (date.min, 0.0)
        self._store_away = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start giving back what lies unused."""
        self._task = asyncio.create_task(self._keep(), name="claude budget keeper")

    async def close(self) -> None:
        """Return every lease; what a store that is away does not hear of stays counted until the day ends."""
        if self._task is not None:
            await end_tasks([self._task])
        pots, self._pots = list(self._pots.values()), {}
        await asyncio.gather(*(self._quietly(pot.close()) for pot in pots))

    async def reserve(self, ask: Ask, request: MessageRequest) -> Reservation:
        """Hold the most that one send of the request can cost; raises ClaudeOverBudget. Waits seconds at most."""
        usd = self._prices.most_usd(request)
        drawn: list[BudgetPot] = []
        try:
            for pot in self._pots_of(ask.operator):
                await self._draw(pot, usd)
                drawn.append(pot)
        except BaseException:
            for pot in drawn:
                pot.put_back(usd)
            raise
        return Reservation(usd, tuple(drawn), self)

    def stats(self) -> BudgetStats:
        """The budget of today in total; nothing is asked of the store."""
        return self._stats(self._pot(EVERYBODY, self._day_usd))

    def known(self) -> BudgetStats | None:
        """The same where today's is known already; safe from any thread."""
        pot = self._pots.get((self._now().astimezone(UTC).date(), EVERYBODY))
        return None if pot is None else self._stats(pot)

    def operators(self) -> tuple[BudgetStats, ...]:
        """The budgets of the operators who asked here today."""
        today = self._now().astimezone(UTC).date()
        return tuple(self._stats(pot) for (day, operator), pot in self._pots.items() if operator and day == today)

    def charged_usd(self, record: AttemptRecord | None) -> float | None:
        """What an exchange counts in the budget; None when nobody can tell."""
        if record is None:
            return 0.0
        if record.outcome in COUNTED:
            return self._prices.most_cost_usd(record.model, record.usage)
        refused = record.status is not None and (record.status >= 400 or record.outcome == ClaudeDown.kind)
        return 0.0 if refused or not record.reached else None

    def count_unknown(self, usd: float) -> None:
        """Remember that this much was kept for an exchange whose cost nobody can tell."""
        today = self._now().astimezone(UTC).date()
        day, before = self._unknown_usd
        self._unknown_usd = (today, usd + (before if day == today else 0.0))

    async def _draw(self, pot: BudgetPot, usd: float) -> None:
        if not await pot.draw(usd):
            raise self._over(pot, usd)
        self._warn(pot)

    def _pots_of(self, operator: str) -> list[BudgetPot]:
        total = self._pot(EVERYBODY, self._day_usd)
        if self._operator_day_usd is None or operator == EVERYBODY:
            return [total]
        return [self._pot(operator, self._operator_day_usd), total]

    def _pot(self, operator: str, limit_usd: float) -> BudgetPot:
        key = (self._now().astimezone(UTC).date(), operator)
        if key not in self._pots:
            self._pots[key] = BudgetPot(self._store, self._scope, operator, key[0], limit_usd)
        return self._pots[key]

    def _over(self, pot: BudgetPot, usd: float) -> ClaudeOverBudget:
        stats, refusal = self._stats(pot), pot.refusal
        whose = f"{pot.operator}'s budget" if pot.operator else "The budget"
        kind = " of rehearsed money" if self._scope == "rehearsal" else ""
        name = f"{whose}{kind} of {pot.limit_usd:g} dollars a day"
        if refusal is not None and refusal.error is not None:
            return ClaudeOverBudget(
                f"{name} cannot be checked: {str(refusal.error).rstrip('.')}. Nothing was sent.",
                "See to the console's store, which the overview names; it goes on by itself. Until then the rules answer.",
                retry_after_seconds=AGAIN_SECONDS,
            )
        left = stats.resets_at - self._now()
        hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
        return ClaudeOverBudget(
            f"{name} does not allow this ask: {stats.spent_usd:.4f} dollars are spent or reserved, and it may cost "
            f"up to {usd:.4f}. Nothing was sent. It starts anew at 00:00 UTC, in {hours} h {minutes} min.",
            _RAISE_OPERATOR if pot.operator else None,
            retry_after_seconds=left.total_seconds(),
        )

    def _stats(self, pot: BudgetPot) -> BudgetStats:
        spent, refusal = pot.taken_usd - pot.free_usd, pot.refusal
        used_up = pot.limit_usd <= 0 or (refusal is not None and refusal.error is None)
        day, unknown = self._unknown_usd
        return BudgetStats(
            scope=self._scope,
            operator=pot.operator,
            limit_usd=pot.limit_usd,
            taken_usd=pot.taken_usd,
            free_usd=pot.free_usd,
            in_flight=pot.reserved,
            unknown_usd=unknown if day == pot.day else 0.0,
            state="used_up" if used_up else "warning" if spent >= WARNING_SHARE * pot.limit_usd else "fine",
            resets_at=datetime.combine(pot.day + timedelta(days=1), time(), UTC),
            age_seconds=None if pot.told_at is None else monotonic() - pot.told_at,
            store_error=str(refusal.error) if refusal is not None and refusal.error is not None else "",
        )

    def _warn(self, pot: BudgetPot) -> None:
        """Say once a day that most of a budget is gone."""
        spent, key = pot.taken_usd - pot.free_usd, (pot.day, pot.operator)
        if spent >= WARNING_SHARE * pot.limit_usd and key not in self._warned:
            self._warned = {known for known in self._warned if known[0] == pot.day} | {key}
            log.warning("claude_budget_warning operator=%r spent_usd=%.4f limit_usd=%g", pot.operator, spent, pot.limit_usd)

    async def _keep(self) -> None:
        while True:
            total = self._pot(EVERYBODY, self._day_usd)
            await self._quietly(total.look())
            await asyncio.sleep(KEEP_SECONDS)
            await self.give_back_idle()

    async def give_back_idle(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Return the leases that were not used for so long, and forget those of days that are over."""
        today = self._now().astimezone(UTC).date()
        for key, pot in list(self._pots.items()):
            if pot.idle_seconds > (idle_seconds if pot.day == today else 0.0):
                await self._quietly(pot.give_back())
                if pot.day != today:
                    self._pots.pop(key, None)

    async def _quietly(self, call: Awaitable[None]) -> None:
        """Log an outage of the store once, and its end."""
        said = ""
        try:
            await call
        except (CoreError, TimeoutError) as error:
            said = str(error) or type(error).__name__
        if bool(said) != self._store_away:
            self._store_away = bool(said)
            log.info("claude_budget_store %s", f"away error={said!r}" if said else "back")


_RAISE_OPERATOR = "Raise CLAUDE_BUDGET_OPERATOR_DAY_USD, or wait for the next day (UTC); until then the rules answer."
