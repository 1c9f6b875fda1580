"""The Claude page's first line: what is broken, what cannot be told, the two targets, and that a rehearsal is never judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from core.claude.answer_log import AnswerLogStats
from core.claude.budget import BudgetStats
from core.claude.models import DEFAULT_MODEL, Models
from core.claude.parts import ClaudeStats
from core.claude.scheduler import Paused, Scheduler, SchedulerStats, Waiting
from core.claude.write_behind import WriteBehindStats
from core.errors import ClaudeError
from core.monitor import SeriesSnapshot
from core.platform.claude_errors import claude_error, meaning
from core.platform.claude_figures import ClaudeFigures, Outcome
from core.platform.claude_findings import ClaudeEvidence, find, model_finding, prompt_findings
from core.platform.claude_verdict import Judged, claude_line, judge_claude
from core.platform.panel import Panel
from core.settings import Settings
from tests.platform.shipped import shipped_prompt

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SETTINGS = Settings()
BUDGET = BudgetStats(
    scope="claude", operator="", limit_usd=5.0, taken_usd=1.0, free_usd=0.0, in_flight=0, unknown_usd=0.0, state="fine",
    resets_at=NOW, age_seconds=1.0,
)  # fmt: skip
ROWS = WriteBehindStats(waiting=0, written=10, dropped=0, refused=0, error="")


async def _no_send(*_: Any) -> Any:
    raise AssertionError("Nothing is sent here.")


SCHEDULER = Scheduler(_no_send).stats()


def stats(**changes: Any) -> ClaudeStats:
    """A healthy Claude, but for what is told."""
    healthy: dict[str, Any] = {
        "scope": "claude", "model": DEFAULT_MODEL, "model_warning": "", "models_live": True, "scheduler": SCHEDULER,
        "budget": BUDGET, "operators": (), "ledger": ROWS, "answers": AnswerLogStats(ROWS, 0, ""),
    }  # fmt: skip
    return ClaudeStats(**{**healthy, **changes})


def scheduler(**changes: Any) -> SchedulerStats:
    """An idle scheduler, but for what is told."""
    return replace(SCHEDULER, **changes)


def figures(
    mean: float = 0.8,
    count: int = 200,
    *,
    hits: int = 180,
    misses: int = 20,
    queue: float = 0.0,
    covered: int = 900,
    **failed: int,
) -> ClaudeFigures:
    """Answers that were made and waited for, reads of the cache, and failures by kind."""

    def series(metric: str, seconds: float, count: int) -> SeriesSnapshot:
        return SeriesSnapshot(metric, (), count, 1.0, mean=seconds)

    return ClaudeFigures(
        window_seconds=900, covered_seconds=covered, waited=(series("claude_answer_seconds", mean, count),),
        first_token=series("claude_first_token_seconds", 0.3, count), queue=(series("claude_queue_seconds", queue, count),),
        answered=(Outcome("made", count),) if count else (), hits=hits, misses=misses,
        failures=tuple(Outcome(kind, number) for kind, number in failed.items()),
    )  # fmt: skip


def judged(found: ClaudeFigures, now: ClaudeStats | None = None, *, age: float = 0.5, **more: Any) -> Judged:
    """The verdict under the default targets."""
    now = now or stats()
    known = {"model": None, "costs": Panel(), "recent": found, "faults_rehearsed": False, **more}
    findings = find(SETTINGS, ClaudeEvidence(stats=now, judged=found, **known))
    return judge_claude(SETTINGS, found, findings, rehearsal=now.scope == "rehearsal", recorder_age_seconds=age)


def test_fine_tells_the_wait_and_the_share_that_was_kept() -> None:
    """One sentence, with the number of samples."""
    found = judged(figures())

    assert found.verdict.state == "fine"
    assert claude_line(found.verdict, "").replace("\u00a0", " ") == (
        "In the last 15 minutes people waited 800 ms on average for 200 answers, 90.0 % of 200 reads hit the cache"
    )
    assert found.notices == ()


@pytest.mark.parametrize(
    ("slow", "remedy"),
    [
        (figures(2.5, queue=1.5), "Hold background"),
        (figures(2.5, hits=20, misses=180), "Prepare"),
        (figures(2.5), "faster model"),
    ],
)
def test_slow_answers_are_a_breach_with_the_remedy_of_their_cause(slow: ClaudeFigures, remedy: str) -> None:
    """Waiting in the queue, answers that were never kept, or Claude itself."""
    verdict = judged(slow).verdict

    assert (verdict.state, remedy in verdict.next_step) == ("not_fine", True)
    assert "2.5\u00a0s on average" in verdict.reason


def test_a_rehearsal_is_never_judged_by_its_speed() -> None:
    """However slow it was; whether answers are kept is ours, and judged."""
    rehearsing = stats(scope="rehearsal")

    assert "not judged" in judged(figures(60.0), rehearsing).verdict.reason
    assert judged(figures(60.0), rehearsing).verdict.state == "cannot_tell"
    assert judged(figures(hits=100, misses=100), rehearsing).verdict.state == "not_fine"


def test_too_little_tells_nothing() -> None:
    """No ask, too few answers, a cold cache after the start, a recorder that stands still."""
    assert "nothing was asked" in judged(figures(count=0, hits=0, misses=0)).verdict.reason
    assert "19 of the 20" in judged(figures(count=19)).verdict.reason
    assert "warming up" in judged(figures(hits=50, misses=100, covered=60)).verdict.reason
    assert "has not counted" in judged(figures(), age=60.0).verdict.reason


def test_a_hit_rate_below_its_target_says_what_to_prepare() -> None:
    """79.9 % is not 80 %; fewer than 100 reads are no rate."""
    verdict = judged(figures(hits=799, misses=201)).verdict

    assert (verdict.state, "79.9\u00a0%" in verdict.reason, "Prepare" in verdict.next_step) == ("not_fine", True, True)
    assert judged(figures(hits=9, misses=90)).verdict.state == "fine"


BREAKER = SCHEDULER.breaker


@pytest.mark.parametrize(
    ("now", "reason", "step"),
    [
        (stats(scheduler=scheduler(breaker=replace(BREAKER, state="forced_open"))), "an operator keeps", "Ask Claude again"),
        (stats(scheduler=scheduler(breaker=replace(BREAKER, state="open", last_error="529"))), "529", "by itself"),
        (stats(scheduler=scheduler(paused=(Paused(model=DEFAULT_MODEL, seconds_left=60),))), "retry-after", "Hold background"),
        (stats(budget=replace(BUDGET, state="used_up", taken_usd=5.0)), "used up", "CLAUDE_BUDGET_DAY_USD"),
        (stats(budget=replace(BUDGET, store_error="No answer.")), "cannot be checked", "console's store"),
    ],
)
def test_what_stops_asks_is_the_first_line(now: ClaudeStats, reason: str, step: str) -> None:
    """Before every figure, with what to press."""
    verdict = judged(figures(5.0), now).verdict

    assert verdict.state == "not_fine"
    assert reason in verdict.reason
    assert step in verdict.next_step


@pytest.mark.parametrize(
    ("now", "reason", "step"),
    [
        (stats(scheduler=scheduler(paused=(Paused(model=DEFAULT_MODEL, seconds_left=2),))), "retry-after", "Wait"),
        (stats(budget=replace(BUDGET, state="warning", taken_usd=4.2)), "84.0\u00a0% of the budget", "CLAUDE_BUDGET_DAY_USD"),
        (stats(operators=(replace(BUDGET, operator="ben", state="used_up"),)), "ben's budget", "OPERATOR_DAY_USD"),
        (stats(scheduler=scheduler(hold_seconds_left=90.0, hold_by="ann")), "held by ann for another 90", "Release"),
        (stats(scheduler=scheduler(waiting=(Waiting(lane="background", priority="low", asks=900),))), "900 asks", "QUEUE_MAX"),
        (stats(ledger=replace(ROWS, waiting=7, error="No route.")), "7 exchanges wait", "follow"),
        (stats(answers=AnswerLogStats(replace(ROWS, dropped=2, refused=1), 0, "")), "3 answers are missing", "log"),
    ],
)
def test_the_rest_is_said_beside_it(now: ClaudeStats, reason: str, step: str) -> None:
    """A warning changes no verdict."""
    found = judged(figures(), now)

    assert found.verdict.state == "fine"
    (notice,) = found.notices
    assert reason in notice.reason
    assert step in notice.next_step


def test_a_refused_key_comes_before_the_failures_that_it_brings() -> None:
    """The sentence names the variable; the failures are said, too."""
    found = judged(figures(count=0, hits=0, misses=5, key_refused=5))

    assert "does not accept the key" in found.verdict.reason
    assert "ANTHROPIC_API_KEY" in found.verdict.next_step
    assert "5 of 5 asks of the last 15 minutes got no answer, all of them" in found.notices[0].reason


def test_failures_are_judged_where_they_are_no_accident() -> None:
    """From one in a hundred; two are none; what a budget or a hold refused has its own sentence."""
    assert judged(figures(count=300, overloaded=2)).verdict.state == "fine"
    assert judged(figures(count=301, overloaded=3)).verdict.state == "fine"
    assert judged(figures(count=200, over_budget=50, held=50)).verdict.state == "fine"
    verdict = judged(figures(count=200, overloaded=3)).verdict
    assert "3 of 203 asks" in verdict.reason
    assert "CLAUDE_FALLBACK_MODEL" in verdict.next_step
    assert "Dials" in judged(figures(count=200, overloaded=3), faults_rehearsed=True).verdict.next_step


def test_a_model_that_ends_is_said_in_time() -> None:
    """Within 60 days of its date as a warning, afterwards as the cause; one on no list is left to the API."""
    models = Models()
    ending = next(model for model in models.all() if model.retires_at is not None and model.lifecycle != "retired")
    assert ending.retires_at is not None
    soon, late = ending.retires_at, ending.retires_at.replace(year=ending.retires_at.year + 1)

    warning = model_finding(models, ending.id, date.fromordinal(soon.toordinal() - 60))
    assert warning is not None
    assert (warning.broken, f"retires on {soon}" in warning.reason, DEFAULT_MODEL in warning.next_step) == (False, True, True)
    assert model_finding(models, ending.id, date.fromordinal(soon.toordinal() - 61)) is None
    gone = model_finding(models, ending.id, late)
    assert gone is not None
    assert "is retired" in judged(figures(), model=gone).verdict.reason
    unknown = model_finding(models, "some-model", NOW.date())
    assert unknown is not None
    assert (unknown.broken, unknown.next_step) == (False, "The API decides whether it answers.")


def test_a_prompt_that_its_model_does_not_take_is_said() -> None:
    """A text that names its model is refused, and nothing of it is sent; one that does not is fitted to the model in use."""
    models, prompts = Models(), [shipped_prompt("lead_analysis"), shipped_prompt("property_description")]
    assert not list(prompt_findings(models, prompts, DEFAULT_MODEL))
    for model in ("claude-opus-5-5", "claude-haiku-4-5"):
        (fitted,) = prompt_findings(models, prompts, model)
        assert (fitted.broken, "lead_analysis, property_description" in fitted.reason) == (False, True)
    named = [replace(prompts[0], model="claude-haiku-4-5")]
    (effortless,) = prompt_findings(models, named, DEFAULT_MODEL)
    verdict = judged(figures(), prompts=(effortless,)).verdict
    assert "no answer to lead_analysis: claude-haiku-4-5-20251001 does not know" in verdict.reason
    assert "Leave the effort empty" in verdict.next_step


def test_every_kind_of_failure_has_a_meaning() -> None:
    """One sentence each, and no two errors of one kind; an unknown kind is any failure."""
    kinds = [error.kind for error in ClaudeError.__subclasses__()]

    assert len(set(kinds)) == len(kinds) > 10
    assert all(claude_error(kind).kind == kind and meaning(kind).endswith(".") for kind in kinds)
    assert claude_error("nobody knows") is ClaudeError
