"""Redis' clock: the best sample is believed, and a step is followed at once."""

from __future__ import annotations

import pytest

from core.cache.coherence.redis_clock import SAMPLES, RedisClock


class Times:
    """This host's two clocks, and Redis'."""

    def __init__(self) -> None:
        self.monotonic, self.wall, self.redis = 100.0, 5_000.0, 9_000.0
        self.clock = RedisClock(lambda: self.monotonic, lambda: self.wall)

    def ask(self, there: float = 0.001, back: float = 0.001) -> None:
        """One question with these delays, in seconds."""
        sent_at = self.monotonic
        self.pass_by(there)
        server = self.redis
        self.pass_by(back)
        self.clock.sample(server, sent_at, self.monotonic)

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds
        self.redis += seconds


def test_before_the_first_answer_it_is_the_hosts_clock():
    """And it says so."""
    times = Times()
    assert (times.clock.now(), times.clock.known) == (5_000.0, False)
    times.ask()
    assert times.clock.known
    assert times.clock.now() == pytest.approx(times.redis)


def test_the_sample_with_the_shortest_round_trip_is_believed():
    """A lopsided slow answer, with half a second of error, does not move the clock."""
    times = Times()
    times.ask(0.001, 0.001)
    times.ask(there=0.0, back=1.0)
    assert times.clock.now() == pytest.approx(times.redis, abs=0.001)


def test_old_samples_are_forgotten():
    """A clock that runs faster is followed once the samples from before are gone."""
    times = Times()
    times.ask(0.0001, 0.0001)
    times.redis += 0.5
    for _ in range(SAMPLES):
        times.ask(0.001, 0.001)
    assert times.clock.now() == pytest.approx(times.redis, abs=0.001)


@pytest.mark.parametrize("step_seconds", [3_600.0, -3_600.0, 1.5])
def test_a_step_is_followed_at_once(step_seconds):
    """Redis' clock was set, or another server took over."""
    times = Times()
    for _ in range(SAMPLES):
        times.ask(0.0001, 0.0001)
    times.redis += step_seconds
    times.ask(0.01, 0.01)
    assert times.clock.now() == pytest.approx(times.redis, abs=0.01)


def test_a_slow_answer_is_no_step():
    """A loop that stood still for ten seconds can explain five seconds of difference."""
    times = Times()
    times.ask(0.001, 0.001)
    times.ask(there=0.0, back=10.0)
    assert times.clock.now() == pytest.approx(times.redis, abs=0.001)


def test_the_hosts_wall_clock_takes_no_part():
    """Setting it changes nothing once Redis has answered."""
    times = Times()
    times.ask()
    times.wall -= 86_400
    assert times.clock.now() == pytest.approx(times.redis, abs=0.001)
