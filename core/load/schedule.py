"""Schedule: when each request starts, which user makes it and what it asks, all drawn before the first one is sent.

N users with exponential think times of mean Z are N Poisson processes, and their sum is one Poisson process of rate N/Z whose
points belong to each user alike (superposition and thinning: Kingman, Poisson Processes, 1993). It does not wait for
answers: a slow server meets the same arrivals as a quick one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.load.plan import LoadPlan


@dataclass(frozen=True, slots=True)
class Schedule:
    """One entry for each request: seconds after the start, number of the user, number of what is asked."""

    starts_seconds: npt.NDArray[np.float64]
    users: npt.NDArray[np.int64]
    choices: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts_seconds)


def draw(plan: LoadPlan, weights: Sequence[float]) -> Schedule:
    """The schedule of a plan; the same plan, seed and weights give the same schedule."""
    random = np.random.default_rng(plan.seed)
    count = int(random.poisson(plan.target_rate * plan.duration_seconds))
    starts = np.sort(random.uniform(0.0, plan.duration_seconds, count))
    shares = np.asarray(weights, dtype=np.float64)
    return Schedule(
        starts_seconds=starts,
        users=random.integers(0, plan.users, count),
        choices=random.choice(len(shares), size=count, p=shares / shares.sum()),
    )


def power_law(count: int, exponent: float = 1.0) -> list[float]:
    """Weights of `count` ranks that fall as rank^-exponent and sum to 1 (Zipf); popular things repeat."""
    ranks: Any = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return [float(weight) for weight in ranks / ranks.sum()]
