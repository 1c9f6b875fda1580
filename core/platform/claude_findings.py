"""ClaudeFindings: what stands in Claude's way now, each as a sentence with its next step; the broken ones come first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from core.claude.budget import BudgetStats
from core.claude.ledger import CostFigures
from core.claude.models import Models
from core.claude.parts import ClaudeStats
from core.claude.prompts import PromptVersion
from core.errors import ClaudeKeyRefused, ClaudeModelRetired, ClaudeSpendLimit, UsageError
from core.platform.claude_errors import claude_error, meaning
from core.platform.claude_figures import ClaudeFigures
from core.platform.panel import Panel
from core.platform.units import dollars, duration, percent
from core.settings import Settings

FAILED_SHARE = 0.01  # The promise on errors: less than one in a hundred.
FAILURES_NEEDED = 3  # One that fails now and then is no trouble.
OWN_DOING = ("over_budget", "held")  # Said by the budget and the hold while they last.
REHEARSED = "Faults are rehearsed: turn them down under Dials below."
QUEUE_SHARE = 0.8  # Background asks are refused from here on.


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing in the way; a broken one makes the page's first line, the others follow it."""

    reason: str
    next_step: str
    broken: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeEvidence:
    """What findings stand on; `judged` is of the last 15 minutes, `recent` of the last five."""

    stats: ClaudeStats
    judged: ClaudeFigures
    recent: ClaudeFigures
    model: Finding | None
    costs: Panel[CostFigures]
    faults_rehearsed: bool
    prompts: tuple[Finding, ...] = ()


def find(settings: Settings, evidence: ClaudeEvidence) -> tuple[Finding, ...]:
    """All findings, the broken ones first, each kind in a fixed order."""
    found = (
        *_breaker(evidence.stats),
        *_account(evidence.recent),
        *([evidence.model] if evidence.model is not None else []),
        *evidence.prompts,
        *_budgets(evidence.stats),
        *_pauses(settings, evidence.stats),
        *_failures(evidence),
        *_queue(evidence.stats),
        *_books(evidence),
    )
    return tuple(sorted(found, key=lambda finding: not finding.broken))


def _breaker(stats: ClaudeStats) -> Iterator[Finding]:
    breaker = stats.scheduler.breaker
    if breaker.state == "forced_open":
        reason = "an operator keeps every ask from Claude; kept answers and the rules answer"
        yield Finding(broken=True, since=breaker.since, reason=reason, next_step="Press Ask Claude again below.")
    elif breaker.state in ("open", "half_open"):
        reason = f"Claude is left alone because asks failed: {breaker.last_error}"
        step = "It is tried again by itself within half a minute; the errors below say what it answered."
        yield Finding(broken=True, since=breaker.since, reason=reason.rstrip("."), next_step=step)


def _account(recent: ClaudeFigures) -> Iterator[Finding]:
    for error in (ClaudeKeyRefused, ClaudeSpendLimit):
        if count := next((item.count for item in recent.failures if item.kind == error.kind), 0):
            what = "the API does not accept the key" if error is ClaudeKeyRefused else "the account has met its spend limit"
            said = f"{what}: {count:,} {'ask' if count == 1 else 'asks'} failed in the last 5 minutes"
            yield Finding(broken=True, reason=said, next_step=error.default_next_step)


def model_finding(models: Models, model: str, today: date) -> Finding | None:
    """What is to be said of the model in use: retired, about to be, or on no list."""
    try:
        warning = models.check(model, today)
    except ClaudeModelRetired as error:
        return Finding(broken=True, reason=f"the model {str(error).removesuffix('.')}", next_step=error.next_step)
    if not warning:
        return None
    sentence, _, step = warning.removesuffix(".").partition(": ")
    return Finding(reason=f"the model {sentence}", next_step=f"{step[:1].upper()}{step[1:]}.")


def prompt_findings(models: Models, prompts: Iterable[PromptVersion], model: str) -> Iterator[Finding]:
    """The prompts in use that their model does not take, of which nothing is ever sent; and those that are fitted to it."""
    refused: dict[tuple[str, str], list[str]] = {}
    fitted: list[str] = []
    for prompt in prompts:
        request = prompt.render(dict.fromkeys(prompt.variables, ""), default_model=model)
        sent = request if prompt.model else models.fitted(request)
        try:
            models.check_request(sent)
        except UsageError as error:
            refused.setdefault((str(error).removesuffix("."), error.next_step), []).append(prompt.name)
        else:
            fitted += [prompt.name] if sent != request else []
    for (why, step), names in refused.items():
        reason = f"no answer to {', '.join(names)}: {why}"
        yield Finding(broken=True, reason=reason, next_step=f"{step} The Prompts page has the texts.")
    if fitted:
        reason = f"{model} does not take the effort or the thinking that {', '.join(fitted)} name: it is asked as it can be"
        yield Finding(reason=reason, next_step="Answers may be slower and dearer; the Prompts page has the texts.")


def _budgets(stats: ClaudeStats) -> Iterator[Finding]:
    yield from _budget(stats.budget)
    for operator in stats.operators:
        yield from _budget(operator)


def _budget(budget: BudgetStats) -> Iterator[Finding]:
    whose = f"{budget.operator}'s budget" if budget.operator else "the budget"
    name = f"{whose} of {dollars(budget.limit_usd)} a day{' of rehearsed money' if budget.scope == 'rehearsal' else ''}"
    variable = "CLAUDE_BUDGET_OPERATOR_DAY_USD" if budget.operator else "CLAUDE_BUDGET_DAY_USD"
    raise_it = f"Raise {variable} and start again, or wait: it starts anew at 00:00 UTC."
    if budget.store_error:
        step = "See to the console's store, which the Overview names; it goes on by itself."
        reason = f"{name} cannot be checked, so nothing is sent: {budget.store_error.removesuffix('.')}"
        yield Finding(broken=not budget.operator, reason=reason, next_step=step)
    elif budget.state == "used_up":
        left = budget.limit_usd - budget.spent_usd
        short = f"has {dollars(left)} left, less than an ask may cost" if left > 0 else "is used up"
        reason = f"{name} {short}, so nothing is sent and the rules answer"
        yield Finding(broken=not budget.operator, reason=reason, next_step=raise_it)
    elif budget.state == "warning":
        share = percent(min(1.0, budget.spent_usd / budget.limit_usd))
        yield Finding(reason=f"{share} of {name} is spent, leased or in flight", next_step=raise_it)


def _pauses(settings: Settings, stats: ClaudeStats) -> Iterator[Finding]:
    for pause in stats.scheduler.paused:
        # Who waits no longer than the pause lasts is refused at once.
        broken = pause.model == stats.model and pause.seconds_left >= settings.claude_timeout_seconds
        yield Finding(
            broken=broken and not settings.claude_fallback_model,
            reason=f"the API asks to leave {pause.model} alone for another {duration(pause.seconds_left)} (retry-after)",
            next_step="Wait: asks go on by themselves; press Hold background below if people wait.",
        )


def _failures(evidence: ClaudeEvidence) -> Iterator[Finding]:
    judged = evidence.judged
    counted = [item for item in judged.failures if item.kind not in OWN_DOING]
    failed = sum(item.count for item in counted)
    asks = judged.answers + failed
    if failed < FAILURES_NEEDED and (judged.answers or not failed):
        return
    if failed < FAILED_SHARE * asks:
        return
    first = counted[0]
    means = meaning(first.kind).removesuffix(".")
    said = f"{'all' if first.count == failed else f'{first.count:,}'} of them: {means[:1].lower()}{means[1:]}"
    reason = f"{failed:,} of {asks:,} asks of the last 15 minutes got no answer, {said}"
    step = REHEARSED if evidence.faults_rehearsed else claude_error(first.kind).default_next_step
    yield Finding(broken=True, reason=reason, next_step=step)


def _queue(stats: ClaudeStats) -> Iterator[Finding]:
    scheduler = stats.scheduler
    if scheduler.queued >= QUEUE_SHARE * scheduler.queue_max:
        reason = f"{scheduler.queued:,} asks wait and the queue takes {scheduler.queue_max:,}: background asks are refused"
        yield Finding(reason=reason, next_step="Wait, or raise CLAUDE_QUEUE_MAX.")
    if scheduler.hold_seconds_left:
        waiting = sum(item.asks for item in scheduler.waiting if item.lane == "background")
        by = f" by {scheduler.hold_by}" if scheduler.hold_by else ""
        left = f"background work is held{by} for another {duration(scheduler.hold_seconds_left)}"
        reason = f"{left}; {waiting:,} asks wait" if waiting else left
        yield Finding(reason=reason, next_step="Press Release background below, or let it end by itself.")


def _books(evidence: ClaudeEvidence) -> Iterator[Finding]:
    ledger, answers = evidence.stats.ledger, evidence.stats.answers.rows
    if evidence.costs.error:
        reason = f"costs are shown as last known: {evidence.costs.error.removesuffix('.')}"
        yield Finding(reason=reason, next_step=evidence.costs.next_step)
    for rows, what, where in ((ledger, "exchange", "the costs"), (answers, "answer", "ai_responses")):
        if lost := rows.dropped + rows.refused:
            yield Finding(
                reason=f"{where} of this process: {lost:,} {what}{'s are' if lost != 1 else ' is'} missing",
                next_step="The log says why; the database was away for too long, or refused them.",
            )
        if rows.error and rows.waiting:
            verb = f"{what}s wait" if rows.waiting != 1 else f"{what} waits"
            reason = f"{rows.waiting:,} {verb} to be written to {where}: {rows.error.removesuffix('.')}"
            yield Finding(reason=reason, next_step="They follow when the database is back.")
