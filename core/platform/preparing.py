"""Preparing: analyses made ahead for many leads, in the background, as an operation.

Owns which leads are alike: every canonical form is asked once, and one whose answer is kept is not asked at all. People never
wait for it: its asks are of the background lane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncpg import Record

from core.claude.claude import Claude
from core.claude.messages import Answer, Ask
from core.database.pool import Database
from core.errors import ClaudeError, UsageError
from core.operations import Operation, OperationRequest, Operations, Started, Work
from core.platform.canonical import CanonicalLead
from core.platform.lead_analyses import CACHING, LeadAnalyses, faults_of
from core.platform.lead_facts import LeadFacts, budget_of, property_type_of, stage_of
from core.platform.leads import OPEN_STATUSES
from core.platform.search import SLUG_MOST_CHARACTERS, check, check_text
from core.ports import Progress

KIND = KEY = "prepare"
MOST_LEADS = 50_000
DAY = timedelta(days=1)

Wrap = Callable[[Work], Work]


def _as_it_is(work: Work) -> Work:
    return work


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which open leads are prepared: the best by score, of one market or all."""

    market: str | None = None
    min_score: int = 0
    limit: int = 1_000

    def __post_init__(self) -> None:
        check_text("market", self.market, SLUG_MOST_CHARACTERS)
        check("min_score", 0 <= self.min_score <= 100, "is between 0 and 100")
        check("limit", 1 <= self.limit <= MOST_LEADS, f"is between 1 and {MOST_LEADS:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What preparing comes to: the leads, their canonical forms, most frequent first, and how many leads each has."""

    leads: int
    forms: Mapping[CanonicalLead, int]


class Preparing:
    """Starts preparing, and says what it would take."""

    def __init__(self, database: Database, operations: Operations, claude: Claude, analyses: LeadAnalyses) -> None:
        self._database = database
        self._operations = operations
        self._claude = claude
        self._analyses = analyses

    async def plan(self, wanted: Wanted) -> Preparation:
        """The canonical forms of these leads; nothing is asked of Claude."""
        filters: dict[str, object] = {"min_score": wanted.min_score}
        if wanted.market is not None:
            filters["market"] = wanted.market
        rows = await self._database.fetch_all("leads_to_prepare", list(OPEN_STATUSES), wanted.limit, filters=filters)
        now = datetime.now(UTC)
        forms = Counter(CanonicalLead.of(facts_of(row, now)) for row in rows)
        return Preparation(leads=len(rows), forms=dict(forms.most_common()))

    async def start(self, wanted: Wanted, *, operator: str, wrap: Wrap = _as_it_is) -> Started:
        """Prepare these leads; raises UsageError when there are none, OperationError or DependencyError."""
        preparation = await self.plan(wanted)
        if not preparation.leads:
            raise UsageError("No open lead fits.", "Choose another market or a lower score.")
        request = OperationRequest(
            kind=KIND,
            key=KEY,
            title=f"Prepare {preparation.leads:,} leads" + (f" of {wanted.market}" if wanted.market else ""),
            operator=operator,
            parameters={"market": wanted.market, "min_score": wanted.min_score, "limit": wanted.limit},
            commands=(prepare_line(wanted),),
            resumable=True,
        )
        return await self._operations.start(request, wrap(lambda progress: self._prepare(preparation, operator, progress)))

    async def newest(self) -> Operation | None:
        """The preparation that runs now, in any process, or the last one."""
        return next(iter(await self._operations.list(kind=KIND, limit=1)), None)

    async def _prepare(self, preparation: Preparation, operator: str, progress: Progress) -> Mapping[str, Any]:
        asks: list[Ask] = []
        counts = list(preparation.forms.values())
        for form in preparation.forms:
            ask = await self._analyses.ask_of(form, operator=operator, lane="background")
            asks.append(ask)
        progress("leads prepared", 0, preparation.leads)

        over = 0

        def done(position: int) -> None:
            nonlocal over
            over += counts[position]
            progress("leads prepared", over, preparation.leads)

        answers = await self._claude.ask_many(asks, caching=CACHING, check=faults_of, on_done=done)
        return _result(preparation, answers)


def prepare_line(wanted: Wanted) -> str:
    """The line of the command line that does the same."""
    parts = ["python -m core analyze --prepare", f"--limit {wanted.limit}"]
    parts += [f"--market {wanted.market}"] if wanted.market else []
    parts += [f"--min-score {wanted.min_score}"] if wanted.min_score else []
    return " ".join(parts)


def facts_of(row: Record, now: datetime) -> LeadFacts:
    """The facts that a row of `leads_to_prepare` holds: what a canonical form is made of."""
    least, most = budget_of(row["budget_range"])
    last: datetime | None = row["last_interaction_at"]
    return LeadFacts(
        market=str(row["market_id"]),
        budget_least=least,
        budget_most=most,
        property_type=property_type_of(row["property_type"]),
        stage=stage_of(row["status"]),
        interactions=row["interactions"],
        never_contacted=last is None,
        days_since_activity=None if last is None else max(0.0, (now - last) / DAY),
    )


def _result(preparation: Preparation, answers: Sequence[Answer | ClaudeError]) -> Mapping[str, Any]:
    """What came of it; raises the error when nothing else did."""
    errors = [answer for answer in answers if isinstance(answer, ClaudeError)]
    made = [answer for answer in answers if isinstance(answer, Answer) and answer.attempts]
    if errors and len(errors) == len(answers):
        raise errors[0]
    return {
        "leads": preparation.leads,
        "forms": len(preparation.forms),
        "asked": len(made),
        "kept": len(answers) - len(errors) - len(made),
        "failed": len(errors),
        "errors": dict(Counter(error.kind for error in errors)),
        "cost_usd": round(sum(answer.cost_usd or 0.0 for answer in made), 6),
        "rehearsal": any(answer.rehearsal for answer in made),
    }
