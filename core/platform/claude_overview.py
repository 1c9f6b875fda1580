"""ClaudeOverview: what the Claude page shows at one look: verdict, what is in the way, queue, limits, costs and models.

Owns the view objects of that page. Refuses to ask the store for costs more often than every few seconds, whoever looks; Claude
itself is never asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from core.claude.budget import BudgetStats
from core.claude.costs import Price
from core.claude.ledger import CostFigures
from core.claude.models import Model
from core.claude.parts import ClaudeParts, ClaudeStats
from core.claude.prompts import PromptVersion
from core.claude.rehearsal import DialValues
from core.errors import DependencyDown
from core.health import Health
from core.monitor import Recorder
from core.platform.claude_figures import ClaudeFigures, claude_figures
from core.platform.claude_findings import ClaudeEvidence, Finding, find, model_finding, prompt_findings
from core.platform.claude_verdict import JUDGED_SECONDS, judge_claude
from core.platform.panel import Kept, Panel
from core.platform.units import percent
from core.platform.verdict import Verdict
from core.settings import Settings

RECENT_SECONDS = 300
LONG_DAYS = 14
TODAY_MAX_AGE_SECONDS, LONG_MAX_AGE_SECONDS = 3.0, 30.0

Use = Literal["in use", "fallback", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeView:
    """Everything that changes from second to second; `figures` are of the window asked for, `dials` None with a key."""

    verdict: Verdict
    notices: tuple[Finding, ...]
    stats: ClaudeStats
    figures: ClaudeFigures
    today: Panel[CostFigures]
    dials: DialValues | None
    recorder_age_seconds: float
    loaded_at: datetime

    @property
    def rehearsal(self) -> bool:
        """Whether answers are rehearsed, because there is no key."""
        return self.stats.scope == "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsView:
    """Money: today and the last days, what this process knows of the budget, and how far the books are behind."""

    stats: ClaudeStats
    today: Panel[CostFigures]
    long: Panel[CostFigures]
    prices_from: date
    prices_until: date
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model, what it is used for, and its price where one is known."""

    model: Model
    use: Use
    price: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsView:
    """The models of the API's list (of the rehearsal, without a key), or of the dated table while `live` is False."""

    rows: tuple[ModelRow, ...]
    live: bool
    rehearsal: bool
    table_date: date


class ClaudeOverview:
    """Loads the Claude page's views; bound to the loop of `parts`."""

    def __init__(self, settings: Settings, monitor: Recorder, parts: ClaudeParts, health: Health) -> None:
        self._settings, self._monitor, self._parts, self._health = settings, monitor, parts, health
        self._today = Kept(lambda: self._costs(1), TODAY_MAX_AGE_SECONDS)
        self._long = Kept(lambda: self._costs(LONG_DAYS), LONG_MAX_AGE_SECONDS)
        self._prompts = Kept(self._prompts_in_use, TODAY_MAX_AGE_SECONDS)

    async def load(self, window_seconds: int) -> ClaudeView:
        """The view of a window of 60, 300, 900 or 3600 seconds; asks the store for today's costs only, for 2 s at most."""
        stats, today = self._parts.stats(), await self._today.get()
        # On a thread: the first sums of a window take tens of milliseconds, and asks go through this loop.
        judged = await self._figures(JUDGED_SECONDS)
        prompts = (await self._prompts.get()).value or self._parts.prompts.at_hand()
        evidence = ClaudeEvidence(
            stats=stats,
            judged=judged,
            recent=await self._figures(RECENT_SECONDS),
            model=model_finding(self._parts.models, stats.model, datetime.now(UTC).date()),
            prompts=tuple(prompt_findings(self._parts.models, prompts, stats.model)),
            costs=today,
            faults_rehearsed=stats.scope == "rehearsal" and any(share for _, share in self._parts.dials.values.faults.shares()),
        )
        recorder_age_seconds = self._monitor.stats().age_seconds
        found = judge_claude(
            self._settings,
            judged,
            find(self._settings, evidence),
            rehearsal=stats.scope == "rehearsal",
            recorder_age_seconds=recorder_age_seconds,
        )
        return ClaudeView(
            verdict=found.verdict,
            notices=found.notices,
            stats=stats,
            figures=await self._figures(window_seconds),
            today=today,
            dials=self._parts.dials.values if stats.scope == "rehearsal" else None,
            recorder_age_seconds=recorder_age_seconds,
            loaded_at=datetime.now(UTC),
        )

    async def costs(self) -> CostsView:
        """The money; as last known while the console's store is away."""
        dates = [price.as_of for price in self._parts.prices]
        return CostsView(
            stats=self._parts.stats(),
            today=await self._today.get(),
            long=await self._long.get(),
            prices_from=min(dates),
            prices_until=max(dates),
            loaded_at=datetime.now(UTC),
        )

    async def models(self) -> ModelsView:
        """Every model that is known, those in use first."""
        models, prices, used = self._parts.models, self._parts.prices, self._uses()
        known = {model.id: model for model in models.all()}
        for name in used:
            known.setdefault(name, models.known(name) or Model(id=name, title=name))
        rows = [ModelRow(self._dated(model), used.get(model.id, ""), prices.price_of(model.id)) for model in known.values()]
        rows.sort(key=lambda row: (not row.use, row.model.lifecycle == "retired"))
        return ModelsView(
            rows=tuple(rows), live=models.live, rehearsal=self._parts.scope == "rehearsal", table_date=models.table_date
        )

    def words(self) -> str:
        """Model, key, breaker and budget in few words; no I/O, safe from any thread."""
        key = "no key: rehearsal" if self._parts.scope == "rehearsal" else "key set"
        state = self._parts.scheduler.breaker.state
        breaker = {"open": "left alone", "half_open": "left alone", "forced_open": "kept away by hand"}.get(state, "")
        words = (self._parts.model, key, breaker, _budget_words(self._parts.budget.known()))
        return ", ".join(word for word in words if word)

    def _uses(self) -> dict[str, Use]:
        """By id; a model in use that goes by another name is found by its own."""
        names: tuple[tuple[str | None, Use], ...] = (
            (self._settings.claude_fallback_model, "fallback"), (self._parts.model, "in use"),
        )  # fmt: skip
        found = ((name, self._parts.models.known(name), use) for name, use in names if name)
        return {model.id if model is not None else name: use for name, model, use in found}

    def _dated(self, model: Model) -> Model:
        """Retired, where its date is over."""
        found = model_finding(self._parts.models, model.id, datetime.now(UTC).date())
        return replace(model, lifecycle="retired") if found is not None and found.broken else model

    async def _costs(self, days: int) -> CostFigures:
        self._ask_no_store_that_is_down()
        return await self._parts.ledger.figures(days)

    async def _prompts_in_use(self) -> tuple[PromptVersion, ...]:
        self._ask_no_store_that_is_down()
        return tuple([await self._parts.prompts.in_use(prompt.name) for prompt in self._parts.prompts.at_hand()])

    def _ask_no_store_that_is_down(self) -> None:
        """A page that is looked at again and again would wait each time."""
        known = {status.name: status for status in self._health.snapshot()}
        store = known.get("console_store") or known["postgresql"]  # One check where both are one server.
        if store.state == "down":
            raise DependencyDown(store.error, store.next_step)

    async def _figures(self, window_seconds: int) -> ClaudeFigures:
        return await asyncio.to_thread(claude_figures, self._monitor, self._parts.scope, window_seconds)


def _budget_words(budget: BudgetStats | None) -> str:
    if budget is None or budget.state == "fine":
        return ""
    return "budget used up" if budget.state == "used_up" else f"budget {percent(budget.spent_usd / budget.limit_usd)} spent"
