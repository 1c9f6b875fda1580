"""ClaudeVerdict: the Claude page's first line, judged from the last 15 minutes and from what stands now.

Owns that the worst finding decides, and that every other one is still said. Refuses to judge the speed of a rehearsal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.claude.models import DEFAULT_MODEL
from core.platform.claude_figures import ClaudeFigures
from core.platform.claude_findings import Finding
from core.platform.units import duration, percent
from core.platform.verdict import Verdict
from core.settings import Settings

JUDGED_SECONDS = 900
ANSWERS_NEEDED = 20  # As a P95 needs: one slow answer alone says little of a mean.
READS_NEEDED = 100  # One miss more or less then moves the rate by a point.
WARM_UP_SECONDS = 300  # A process that has just started has kept no answer yet.
STALE_SECONDS = 10.0  # The recorder folds once a second.
QUEUE_SHARE = 0.25  # From here on waiting is what makes answers slow.
ASK = "Open a lead on the Leads page, run `python -m core ask`, or call POST /api/analysis."
PREPARE = "Press Prepare on the Leads page: like leads are then answered without asking."


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The first line, and the sentences that follow it."""

    verdict: Verdict
    notices: tuple[Finding, ...]


def judge_claude(
    settings: Settings, figures: ClaudeFigures, findings: Sequence[Finding], *, rehearsal: bool, recorder_age_seconds: float
) -> Judged:
    """What is broken, then what cannot be told, then the two targets; `figures` are of the last 15 minutes."""
    worst = next((finding for finding in findings if finding.broken), None)
    if worst is not None:
        verdict = Verdict("not_fine", worst.since, worst.reason, worst.next_step)
    else:
        verdict = (
            _unknown(figures, recorder_age_seconds)
            or (None if rehearsal else _late(settings, figures))
            or _seldom_kept(settings, figures)
            or (_rehearsed(figures) if rehearsal else _fine(figures))
        )
    return Judged(verdict=verdict, notices=tuple(finding for finding in findings if finding is not worst))


def claude_line(verdict: Verdict, lasting: str) -> str:
    """The first line; `lasting` is for how long it has been so, empty when that is not known."""
    if verdict.state == "fine":
        return verdict.reason
    return f"{'Not fine' if verdict.state == 'not_fine' else 'Cannot tell'}{lasting and f', {lasting}'}: {verdict.reason}"


def _unknown(figures: ClaudeFigures, recorder_age_seconds: float) -> Verdict | None:
    if recorder_age_seconds > STALE_SECONDS:
        reason = f"the recorder has not counted for {recorder_age_seconds:.0f} s"
        return Verdict("cannot_tell", None, reason, "Read the log and restart the console.")
    if not figures.answers and not figures.failed:
        return Verdict("cannot_tell", None, "nothing was asked in the last 15 minutes", ASK)
    return None


def _late(settings: Settings, figures: ClaudeFigures) -> Verdict | None:
    mean, target = figures.mean_seconds, settings.target_claude_mean_seconds
    if mean is None or figures.samples < ANSWERS_NEEDED:
        reason = f"people waited for {figures.samples} of the {ANSWERS_NEEDED} answers that a mean needs"
        return Verdict("cannot_tell", None, f"{reason}, {_kept(figures)}", ASK)
    if mean < target:
        return None
    reason = f"people waited {duration(mean)} on average for {figures.samples:,} answers, the target is {duration(target)}"
    return Verdict("not_fine", None, reason, _remedy(settings, figures, mean))


def _remedy(settings: Settings, figures: ClaudeFigures, mean: float) -> str:
    people = figures.queue[0]
    if (people.mean or 0.0) * people.count >= QUEUE_SHARE * mean * figures.samples:
        return "They wait in the queue: press Hold background below, or raise the limits of the account."
    if figures.hit_rate is not None and figures.hit_rate < settings.target_claude_hit_rate:
        return PREPARE
    return f"Claude itself is slow: give the prompt less effort, no thinking or a faster model, such as {DEFAULT_MODEL}."


def _seldom_kept(settings: Settings, figures: ClaudeFigures) -> Verdict | None:
    rate, target = figures.hit_rate, settings.target_claude_hit_rate
    if rate is None or rate >= target or figures.hits + figures.misses < READS_NEEDED:
        return None
    if figures.covered_seconds < WARM_UP_SECONDS:
        reason = f"warming up, {figures.covered_seconds} s after the start: {_kept(figures)}"
        return Verdict("cannot_tell", None, reason, PREPARE)
    return Verdict("not_fine", None, f"{_kept(figures)}, the target is {percent(target)}", PREPARE)


def _rehearsed(figures: ClaudeFigures) -> Verdict:
    reason = f"answers are rehearsed, so their speed is not judged: {figures.answers:,} in 15 minutes, {_kept(figures)}"
    return Verdict("cannot_tell", None, reason, "Set ANTHROPIC_API_KEY and start again to ask Claude itself.")


def _fine(figures: ClaudeFigures) -> Verdict:
    waited = f"people waited {duration(figures.mean_seconds)} on average for {figures.samples:,} answers"
    return Verdict("fine", None, f"In the last 15 minutes {waited}, {_kept(figures)}")


def _kept(figures: ClaudeFigures) -> str:
    reads = figures.hits + figures.misses
    return f"{percent(figures.hit_rate)} of {reads:,} reads hit the cache" if reads else "none of them could be kept"
