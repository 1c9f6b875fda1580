"""Proof: what a change bought: two measurements of the same parameter sets, compared pair by pair.

Owns the rule. Each set is its own control: its time after is divided by its time before. Of these ratios the median, and the
ratio of the two P95, are drawn again 1,000 times (bootstrap: Efron 1979), which gives each a range of 95 %. *Helped*: a range
lies wholly below 0.9, and none above 1.1. *Harmed*: a range lies wholly above 1.1. Anything else is *no effect*, and so is a
difference of less than 0.05 ms, and one that comes with the same plans and the same pages: that is the machine's, which was
busier at one time than at the other. Fewer than 10 sets say nothing; the P95 counts from 20.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.database.plan_tree import PlanChange, plan_change
from core.database.replay import MeasuredSet, Replayed

ProofVerdict = Literal["helped", "no effect", "harmed", "too few"]

SETS_NEEDED, SETS_FOR_P95 = 10, 20  # A P95 of fewer than 20 is their maximum under another name.
LESS, MORE = 0.9, 1.1
LEAST_SECONDS = 0.00005
DRAWS, SEED = 1_000, 20_260_118  # The same figures give the same word.
RULE = (
    "Per parameter set: time after / time before, each the median of its rounds. Helped: the 95 % bootstrap range of the"
    " median ratio, or of the ratio of P95, lies below 0.9 and neither above 1.1. Harmed: one lies above 1.1. No effect: all"
    " else, under 0.05 ms, or with the same plans and pages, since then the machine was busier at one time."
)

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio after / before, and the range that holds it with 95 %."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One side: seconds (P95 None: too few sets), pages and rows of a median run, and the share of pages that were read."""

    p50: float
    p95: float | None
    pages: int
    read_share: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Before and after; `seconds` has both times of each set, ratios are None where there are too few of them."""

    query: str
    verdict: ProofVerdict
    reason: str
    pairs: int
    before: Figures
    after: Figures
    seconds: tuple[Pair, ...]
    median: Interval | None
    p95: Interval | None
    other_rows: int
    changed_plans: int
    change: PlanChange
    example: tuple[MeasuredSet, MeasuredSet]


def prove(before: Replayed, after: Replayed) -> Proof:
    """Compare two measurements of one query; both have at least one set in common."""
    both = _pairs(before.sets, after.sets)
    times: list[Pair] = [(old.seconds, new.seconds) for old, new in both]
    enough = len(both) >= SETS_NEEDED
    median = _interval(times, _median_ratio) if enough else None
    p95 = _interval(times, _p95_ratio) if len(both) >= SETS_FOR_P95 else None
    changes = [plan_change(old.plan, new.plan) for old, new in both]
    verdict, reason = _judged(times, median, p95)
    if verdict in ("helped", "harmed") and not any(change.changed for change in changes) and _same_pages(both):
        verdict, reason = "no effect", f"{reason}, but plans and pages are the same: the machine was busier at one time"
    example = max(both, key=lambda pair: pair[0].seconds)
    changed = [change for change in changes if change.changed]
    return Proof(
        query=before.query,
        verdict=verdict,
        reason=reason,
        pairs=len(both),
        before=figures([old for old, _ in both]),
        after=figures([new for _, new in both]),
        seconds=tuple(times),
        median=median,
        p95=p95,
        other_rows=sum(old.rows != new.rows for old, new in both),
        changed_plans=len(changed),
        change=Counter(changed).most_common(1)[0][0] if changed else PlanChange(changed=False, gone=(), new=()),
        example=example,
    )


def figures(sets: Sequence[MeasuredSet]) -> Figures:
    """P50, P95, pages and rows of these sets."""
    times, pages = [item.seconds for item in sets], sum(item.pages for item in sets)
    return Figures(
        p50=statistics.median(times),
        p95=_p95(times) if len(times) >= SETS_FOR_P95 else None,
        pages=round(statistics.median(item.pages for item in sets)),
        read_share=sum(item.pages_read for item in sets) / pages if pages else 0.0,
        rows=round(statistics.median(item.rows for item in sets)),
    )


def _pairs(before: Sequence[MeasuredSet], after: Sequence[MeasuredSet]) -> list[tuple[MeasuredSet, MeasuredSet]]:
    """Sets of the same place: both sides are measured with the same sets in the same order, and one may have ended early."""
    return [(old, new) for old, new in zip(before, after, strict=False) if old.asked == new.asked]


def _same_pages(both: Sequence[tuple[MeasuredSet, MeasuredSet]]) -> bool:
    """Whether as many pages were touched and read, to within a tenth."""
    for old, new in (
        (sum(item.pages for item, _ in both), sum(item.pages for _, item in both)),
        (sum(item.pages_read for item, _ in both), sum(item.pages_read for _, item in both)),
    ):
        if abs(new - old) > 0.1 * max(old, new, 10 * len(both)):
            return False
    return True


def _judged(times: Sequence[Pair], median: Interval | None, p95: Interval | None) -> tuple[ProofVerdict, str]:
    if median is None:
        return "too few", f"{len(times)} of the {SETS_NEEDED} parameter sets that a verdict needs were measured"
    named = [(word, found) for word, found in (("median", median), ("P95", p95)) if found is not None]
    matters = _matters(times)
    if worse := [f"{word} is {_range(found)}" for word, found in named if found.low > MORE and matters]:
        return "harmed", f"the {' and the '.join(worse)}"
    if better := [f"{word} is {_range(found)}" for word, found in named if found.high < LESS and matters]:
        return "helped", f"the {' and the '.join(better)}"
    if not matters:
        return "no effect", f"the times differ by less than {LEAST_SECONDS * 1000:g} ms"
    return "no effect", f"the median is {_range(median)}: within 10 %, or within its noise"


def _matters(times: Sequence[Pair]) -> bool:
    old, new = [pair[0] for pair in times], [pair[1] for pair in times]
    typical = abs(statistics.median(new) - statistics.median(old))
    return max(typical, abs(_p95(new) - _p95(old))) >= LEAST_SECONDS


def _range(found: Interval) -> str:
    if found.ratio < 1:
        return f"{1 / found.ratio:.3g} times quicker ({1 / found.high:.3g} to {1 / found.low:.3g})"
    return f"{found.ratio:.3g} times as long ({found.low:.3g} to {found.high:.3g})"


def _interval(times: Sequence[Pair], ratio: Callable[[Sequence[Pair]], float]) -> Interval:
    chance = random.Random(SEED)  # noqa: S311 - statistics, no secret
    draws = sorted(ratio(chance.choices(times, k=len(times))) for _ in range(DRAWS))
    return Interval(ratio(times), draws[round(0.025 * DRAWS)], draws[round(0.975 * DRAWS) - 1])


def _median_ratio(times: Sequence[Pair]) -> float:
    return statistics.median(new / old for old, new in times)


def _p95_ratio(times: Sequence[Pair]) -> float:
    return _p95([new for _, new in times]) / _p95([old for old, _ in times])


def _p95(values: Sequence[float]) -> float:
    """The nearest rank."""
    return sorted(values)[-(-len(values) * 95 // 100) - 1]
