"""ClaudeParts: the objects that Claude is made of, wired; opened and closed together.

Owns their order. With a key answers are Claude's, without one they are rehearsed: which of the two is settled here, once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.claude.answer_log import AnswerLog, AnswerLogStats
from core.claude.budget import Budget, BudgetStats
from core.claude.claude import Claude
from core.claude.client import ClaudeClient
from core.claude.costs import Prices
from core.claude.ledger import Ledger
from core.claude.messages import MessageRequest, Scope
from core.claude.models import DEFAULT_MODEL, Models
from core.claude.prompt_library import PromptLibrary
from core.claude.prompt_runs import PromptRuns
from core.claude.prompts import PromptVersion
from core.claude.rehearsal import Author, Dials, rehearsal_transport
from core.claude.scheduler import Scheduler, SchedulerStats
from core.claude.sending import Sending
from core.claude.write_behind import WriteBehindStats
from core.errors import ClaudeError, ClaudeModelRetired, SettingsError, UsageError
from core.ports import ReadThrough, Record, Rows
from core.settings import Settings
from core.tasks import end_tasks

PREPARE_AFTER_SECONDS = 5.0  # Loading the SDK takes two seconds of a processor: not while the console starts.
MODELS_SECONDS = 3600.0  # A retirement is announced months ahead.
MODELS_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeStats:
    """Claude now, in this process; `model_warning` is empty when its model is fine."""

    scope: Scope
    model: str
    model_warning: str
    models_live: bool
    scheduler: SchedulerStats
    budget: BudgetStats
    operators: tuple[BudgetStats, ...]
    ledger: WriteBehindStats
    answers: AnswerLogStats


class ClaudeParts:
    """One of each; `open` waits for nothing."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Rows,
        database: Rows,
        cache: ReadThrough,
        record: Record,
        author: Author,
        shipped: Sequence[PromptVersion] = (),
    ) -> None:
        key = settings.anthropic_api_key
        self.scope: Scope = "claude" if key else "rehearsal"
        self.model = settings.claude_model or DEFAULT_MODEL
        self.dials = _dials(settings)
        self.models, self.prices = Models(), Prices()
        self.client = ClaudeClient(
            key,
            base_url=settings.anthropic_base_url if key else None,
            transport=None if key else rehearsal_transport(self.dials, author),
            models=self.models,
        )
        self.budget = Budget(
            store,
            self.prices,
            scope=self.scope,
            day_usd=settings.claude_budget_day_usd,
            operator_day_usd=settings.claude_budget_operator_day_usd,
        )
        self.prompts = PromptLibrary(store, shipped)
        self.runs = PromptRuns(store, self.prompts)
        self.ledger = Ledger(store, self.prices, scope=self.scope)
        self.answers = AnswerLog(database, allowed=settings.effective_mode == "operate")
        self.scheduler = Scheduler(
            Sending(self.client, self.budget, self.ledger),
            concurrency_max=settings.claude_concurrency_max,
            queue_max=settings.claude_queue_max,
            interactive_reserve=settings.claude_interactive_reserve,
            fallback_model=settings.claude_fallback_model,
            record=record,
        )
        self.claude = Claude(self.scheduler, cache, self.answers, record, scope=self.scope, prices=self.prices)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start."""
        for part in (self.client, self.prompts, self.runs, self.budget, self.ledger, self.answers, self.scheduler):
            await part.open()
        self._task = asyncio.create_task(self._prepare(), name="claude models")

    async def close(self) -> None:
        """End what is under way, write what waits, give back what was reserved."""
        if self._task is not None:
            await end_tasks([self._task])
        for part in (self.scheduler, self.client, self.prompts, self.runs, self.budget, self.ledger, self.answers):
            await part.close()

    def request_of(self, prompt: PromptVersion, values: Mapping[str, str]) -> MessageRequest:
        """The request that a prompt makes of values; one without a model is fitted to the one in use. Raises UsageError."""
        request = prompt.render(values, default_model=self.model)
        return request if prompt.model else self.models.fitted(request)

    def stats(self) -> ClaudeStats:
        """Everything as it is now; asks nobody."""
        return ClaudeStats(
            scope=self.scope,
            model=self.model,
            model_warning=self.model_warning(),
            models_live=self.models.live,
            scheduler=self.scheduler.stats(),
            budget=self.budget.stats(),
            operators=self.budget.operators(),
            ledger=self.ledger.stats(),
            answers=self.answers.stats(),
        )

    def model_warning(self) -> str:
        """What is to be said of the model in use, or nothing."""
        try:
            return self.models.check(self.model, datetime.now(UTC).date()) or ""
        except ClaudeModelRetired as error:
            return f"{error} {error.next_step}"

    async def _prepare(self) -> None:
        """Load the SDK once the start is over, then keep the list of models."""
        await asyncio.sleep(PREPARE_AFTER_SECONDS)
        await self.client.prepare()
        while True:
            pause = MODELS_AGAIN_SECONDS
            with contextlib.suppress(ClaudeError):  # The dated table holds until the list can be had.
                await self.models.refresh(self.client.models)
                pause = MODELS_SECONDS
            await asyncio.sleep(pause)


def _dials(settings: Settings) -> Dials:
    try:
        return Dials.parse(
            settings.rehearsal_faults,
            first_token_seconds=settings.rehearsal_first_token_seconds,
            tokens_per_second=settings.rehearsal_tokens_per_second,
        )
    except UsageError as error:
        raise SettingsError(f"REHEARSAL_FAULTS has a value that cannot work: {error}", error.next_step) from error
