"""The schedule: as many users as were asked for, thinking as long as was asked for, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from core.load.plan import Address, LoadPlan
from core.load.schedule import Schedule, draw, power_law

HERE = Address("http", "127.0.0.1", 8501)


def _draw(seed: int = 1, users: int = 500, think_seconds: float = 2.0, duration_seconds: float = 400.0) -> Schedule:
    plan = LoadPlan(address=HERE, users=users, think_seconds=think_seconds, duration_seconds=duration_seconds, seed=seed)
    return draw(plan, [3.0, 1.0])


def test_same_seed_same_schedule() -> None:
    """Starts, users and choices repeat; another seed differs."""
    one, same, other = _draw(1), _draw(1), _draw(2)

    assert all(np.array_equal(getattr(one, name), getattr(same, name)) for name in Schedule.__slots__)
    assert not np.array_equal(one.starts_seconds[:100], other.starts_seconds[:100])


def test_the_rate_is_users_by_think_time() -> None:
    """N / Z over the duration, within five standard deviations of a Poisson count."""
    schedule = _draw()

    assert abs(len(schedule) - 100_000) < 5 * np.sqrt(100_000)
    assert schedule.starts_seconds[0] >= 0
    assert schedule.starts_seconds[-1] <= 400
    assert np.all(np.diff(schedule.starts_seconds) >= 0)


def test_each_user_thinks_an_exponential_time() -> None:
    """Between two requests of one user lie Z seconds on average, spread as widely (exponential: deviation = mean)."""
    schedule = _draw(users=50)
    gaps = np.concatenate([np.diff(schedule.starts_seconds[schedule.users == user]) for user in range(50)])

    assert gaps.mean() == pytest.approx(2.0, rel=0.05)
    assert gaps.std() == pytest.approx(2.0, rel=0.07)


def test_choices_follow_their_weights() -> None:
    """Three to one."""
    assert np.mean(_draw().choices == 0) == pytest.approx(0.75, abs=0.01)


def test_power_law() -> None:
    """Falls as the rank rises, sums to one, and nothing has no ranks."""
    weights = power_law(100)

    assert sum(weights) == pytest.approx(1.0)
    assert weights[0] == pytest.approx(2 * weights[1])
    assert weights == sorted(weights, reverse=True)
    assert power_law(0) == []
