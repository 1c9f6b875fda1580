"""ReplayWords: what a replay found and what it rests on, as one says it."""

from __future__ import annotations

from core.monitor.alerts.coverage import Coverage
from core.monitor.alerts.figure_reader import by_labels
from core.monitor.alerts.looks import KINDS
from core.monitor.alerts.replay import Replay
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.words import counted, lasting
from core.monitor.history.grains import MINUTES

MINUTE_SECONDS = MINUTES.seconds


def would_have(found: Replay) -> str:
    """How often, how long, how soon and whom it would have woken, without a full stop."""
    if not found.rule.enabled:
        return "would not have fired: it is switched off"
    if not found.spans or found.detection_seconds is None:
        return "would not have fired"
    levels = {0: " as a warning", len(found.spans): " as critical"}.get(found.critical, f" ({found.critical} critical)")
    woken = f"{counted(found.woken, 'messages')} would have woken somebody" if found.woken else "nobody would have been woken"
    fired = f"would have fired {times(len(found.spans))}{levels}, {lasting(found.fired_seconds)} in all"
    return f"{fired}, noticed {noticed(found)}; {woken}"


def noticed(found: Replay) -> str:
    """How soon after the first bad step began; of several the shortest and the longest."""
    if found.detection_seconds is None:
        return "—"
    shortest, longest = map(lasting, found.detection_seconds)
    return f"after {shortest}" + (f" to {longest}" if longest != shortest else "")


def times(count: int) -> str:
    """Once, twice, 3 times."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def rests_on(coverage: Coverage, judged_seconds: int) -> str:
    """How much history there is, in how much of it the figure could be judged, and what is missing in between."""
    known, asked = lasting(coverage.known_seconds), lasting(coverage.asked_seconds)
    grain = "minutes" if coverage.step_seconds == MINUTE_SECONDS else f"{coverage.step_seconds} s"
    enough = lasting(judged_seconds) if judged_seconds < coverage.known_seconds else "all"
    gaps = (
        f" {counted(len(coverage.gaps), 'gaps')} without any data, {lasting(coverage.gap_seconds)} in all."
        if coverage.gaps
        else ""
    )
    return f"History: {known} of {asked}, by {grain}; samples enough to judge in {enough} of it.{gaps}"


def how_judged(rule: Rule, coverage: Coverage) -> str:
    """What is not as it was live."""
    by_minutes = coverage.step_seconds == MINUTE_SECONDS
    if rule.kind in KINDS:
        looks = (
            "Each minute is judged by its worst look, so this may say too much and never too little."
            if by_minutes
            else "Judged by each look that the live rule took, every 5 s."
        )
    elif by_minutes:
        why = "only those keep what is counted by label" if by_labels(rule) else "ten seconds are kept for a day"
        looks = f"By minutes, since {why}: times are exact to a minute."
    else:
        looks = "Times are exact to 10 s."
    alone = " Judged alone: live, it is told together with the rule that explains it." if rule.explained_by else ""
    return f"{looks}{alone}"


def nothing_of(rule: Rule) -> str:
    """Why it cannot be replayed where nothing of it is on record."""
    if rule.kind in KINDS:
        return "No look at this figure is on record in this time. The console keeps one every 5 s while it can judge the rule."
    return "Nothing of this figure is on record in this time: it is measured when there is traffic."
