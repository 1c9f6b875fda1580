"""Cases: the same asks at the same times, with the same latencies, for every design."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from core.claude.messages import Ask
from core.errors import ClaudeError
from tests.claude.scheduler.designs import Design
from tests.claude.scheduler.scripted_api import ask
from tests.claude.scheduler.upstream import Upstream
from tests.virtual_time import now, pass_time, run_virtual

MEDIAN_SECONDS, SIGMA = 1.1, 0.425  # P95 is twice the median.
BULK_AT_SECONDS = 20.0
BULK_DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """Interactive asks come as a Poisson process; `bulk` background asks come all at once."""

    per_second: float
    per_minute: int = 4000
    bulk: int = 0
    comfortable: float = math.inf  # Calls under way above which each gets slower.


CASES = {
    "A: 0.5/s": Case(per_second=0.5),
    "B: 3/s": Case(per_second=3),
    "C: 3/s and 300 bulk, 240 rpm": Case(per_second=3, per_minute=240, bulk=300),
    "D: 3/s and 300 bulk, 1000 rpm, slower above 12": Case(per_second=3, per_minute=1000, bulk=300, comfortable=12),
}


@dataclass
class Outcome:
    """What came of a case."""

    asked: int = 0
    seconds: list[float] = field(default_factory=list)  # Of the interactive asks that were answered.
    bulk_done: int = 0
    bulk_last_seconds: float = 0.0  # After they came.
    refused: int = 0
    most_in_flight: int = 0

    def quantile(self, share: float) -> float:
        """Of the answered ones, nearest rank."""
        ordered = sorted(self.seconds)
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.inf

    @property
    def served(self) -> float:
        """Share of the interactive asks that were answered."""
        return len(self.seconds) / self.asked

    @property
    def under_two_seconds(self) -> float:
        """Share of all interactive asks."""
        return sum(seconds < 2 for seconds in self.seconds) / self.asked


def play(case: Case, design: Callable[[Upstream], Design], *, seconds: float = 300.0, seed: int = 7) -> Outcome:
    """One case through one design."""
    return run_virtual(_play(case, design, seconds, seed))


async def _play(case: Case, design: Callable[[Upstream], Design], seconds: float, seed: int) -> Outcome:
    chance, outcome = random.Random(seed), Outcome()
    arrivals, at = [], chance.expovariate(case.per_second)
    while at < seconds:
        arrivals.append((at, ask(f"person {len(arrivals)}")))
        at += chance.expovariate(case.per_second)
    outcome.asked = len(arrivals)
    for number in range(case.bulk):
        bulk = ask(f"bulk {number}", lane="background", deadline_seconds=BULK_DEADLINE_SECONDS)
        arrivals.append((BULK_AT_SECONDS, bulk))
    times = {item.prompt_name: chance.lognormvariate(math.log(MEDIAN_SECONDS), SIGMA) for _, item in arrivals}
    upstream = Upstream(times, per_minute=case.per_minute, comfortable=case.comfortable)
    running = design(upstream)
    async with asyncio.TaskGroup() as group:
        for at, item in arrivals:
            group.create_task(_ask(running, at, item, outcome))
    await running.close()
    outcome.refused, outcome.most_in_flight = upstream.refused, upstream.most_in_flight
    return outcome


async def _ask(design: Design, at: float, item: Ask, outcome: Outcome) -> None:
    await pass_time(at)
    try:
        await design.run(item)
    except (ClaudeError, TimeoutError):
        return
    if item.lane == "interactive":
        outcome.seconds.append(now() - at)
    else:
        outcome.bulk_done += 1
        outcome.bulk_last_seconds = max(outcome.bulk_last_seconds, now() - at)
