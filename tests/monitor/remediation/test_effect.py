"""The effect: the same figure on both sides, by enough samples, and more than chance makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import UsageError
from core.monitor.alerts.judge import Condition, Reading
from core.monitor.remediation.effect import Figure, Figures, compare, window_seconds
from core.monitor.remediation.remedies import Remedy, load_remedies
from tests.monitor.alerts.scenes import RULES

REMEDIES = {remedy.name: remedy for remedy in load_remedies([rule.name for rule in RULES])}
BY_NAME = {rule.name: rule for rule in RULES}


def p95(value: float | None, samples: int = 300) -> Figure:
    """A P95 of the API."""
    return Figure("API P95", value, samples, "seconds")


def hit_rate(value: float, samples: int) -> Figure:
    """A share that must be high."""
    return Figure("Cache hit rate", value, samples, "share", lower_is_better=False, share=True)


def waiting(count: float) -> Figure:
    """A number of sessions."""
    return Figure("Sessions", count, 1, "count")


@pytest.mark.parametrize(
    ("name", "before", "after", "effect"),
    [
        ("spare_claude", p95(0.2), p95(0.1), "helped"),
        ("spare_claude", p95(0.2), p95(0.19), "no effect"),
        ("spare_claude", p95(0.2), p95(0.3), "worse"),
        ("spare_claude", p95(0.2), p95(0.1, 99), "cannot tell"),
        ("spare_claude", p95(0.2), p95(None, 0), "cannot tell"),
        ("warm_best_plan", hit_rate(0.5, 1_000), hit_rate(0.7, 1_000), "helped"),
        ("warm_best_plan", hit_rate(0.5, 1_000), hit_rate(0.3, 1_000), "worse"),
        ("warm_best_plan", hit_rate(0.50, 200), hit_rate(0.56, 200), "no effect"),  # Two standard errors are 0.1.
        ("warm_best_plan", hit_rate(0.50, 5_000), hit_rate(0.56, 5_000), "helped"),
        ("end_idle_transactions", waiting(3), waiting(0), "helped"),
        ("end_idle_transactions", waiting(0), waiting(2), "worse"),
        ("end_idle_transactions", waiting(0), waiting(0), "no effect"),
    ],
)
def test_the_word(name: str, before: Figure, after: Figure, effect: str) -> None:
    """By how much, in the right direction, and never by too few samples."""
    judged = compare(REMEDIES[name], before, after)
    assert judged.effect == effect
    assert before.text in judged.reason
    assert after.text in judged.reason


def test_a_single_reading_is_a_mean_of_a_minute() -> None:
    """Memory is judged by the readings of the last minute, and by none while it cannot be seen."""
    rule, figures = BY_NAME["process_memory"], Figures()
    for second in range(0, 100, 5):
        reading = Reading(9e9 if second < 30 else 1e9, samples=1)
        figures.see({rule.name: rule}, {rule.name: Condition("ok", reading=reading)}, float(second))
    assert figures.of(rule) == Figure(rule.title, 1e9, 12, "bytes")
    figures.see({rule.name: rule}, {rule.name: Condition("stale", reading=reading)}, 100.0)
    assert (figures.of(rule).value, figures.of(rule).note) == (None, "stale")
    assert window_seconds(rule) == 60.0
    assert window_seconds(BY_NAME["api_p95"]) == 300.0


def test_what_ships() -> None:
    """What can hurt does not run by itself on somebody's database; a remedy for no rule is refused."""
    assert [name for name, item in REMEDIES.items() if item.automatic_here(embedded=False)] == ["spare_claude", "shrink_memory"]
    assert not REMEDIES["end_idle_transactions"].automatic_here(embedded=True)
    assert all(remedy.why and remedy.does.endswith(".") for remedy in REMEDIES.values())
    with pytest.raises(UsageError, match="rules that are not there: redis"):
        load_remedies([rule.name for rule in RULES if rule.name != "redis"])


def some_remedy(**values: object) -> Remedy:
    """One of the shipped with other numbers."""
    return replace(REMEDIES["spare_claude"], **values)
