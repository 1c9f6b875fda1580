"""Supply: what the API still allows one model: its rate limits, and a pause where it asked for one.

Limits are per model, so that a fallback model is not held up by the first one's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from core.claude.messages import AttemptRecord, MessageRequest
from core.claude.scheduler.rate_bucket import PERIOD_SECONDS, RateBucket

KINDS = ("requests", "input_tokens", "output_tokens", "tokens")
CHARACTERS_PER_TOKEN = 3.0  # Few, so that the estimate is rather too high.
PAUSE_SECONDS_MOST = 300.0  # The API may ask for days; one ask then finds out whether it still means it.

Need = tuple[float, float, float, float]
"""What an ask takes of each of KINDS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """One rate limit of one model: what remains by our estimate, when all of it does, and how long ago the API last told."""

    model: str
    kind: str
    limit: int
    capacity: float
    remaining: float
    full_in_seconds: float
    age_seconds: float


def need_of(request: MessageRequest) -> Need:
    """An upper estimate: the output as if it met max_tokens, which is how the API counts it at first."""
    characters = len(request.system) + sum(len(turn.text) for turn in request.turns)
    given, taken = characters / CHARACTERS_PER_TOKEN, float(request.max_tokens)
    return (1.0, given, taken, given + taken)


class Supply:
    """The buckets and the pause of one model."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.paused_until = -math.inf
        self.in_flight = 0
        self._buckets = tuple(RateBucket() for _ in KINDS)

    def take(self, now: float, need: Need) -> tuple[float, ...]:
        """Deduct what an ask needs as it is sent; returns its marks."""
        self.in_flight += 1
        return tuple(bucket.take(now, amount) for bucket, amount in zip(self._buckets, need, strict=True))

    def ended(self) -> None:
        """A call of this model is over."""
        self.in_flight -= 1

    def give_back(self, need: Need) -> None:
        """The ask was not sent after all."""
        for bucket, amount in zip(self._buckets, need, strict=True):
            bucket.give_back(amount)

    def learn(self, now: float, marks: tuple[float, ...], sent_at: float, record: AttemptRecord) -> None:
        """Read the rate headers of an exchange."""
        for kind, bucket, mark in zip(KINDS, self._buckets, marks, strict=True):
            if (told := record.headroom.get(kind)) is not None:
                bucket.learn(now, mark, sent_at, told, _in_utc(record.started_at))

    def pause(self, now: float, seconds: float) -> None:
        """Send nothing for so long."""
        self.paused_until = max(self.paused_until, now + min(seconds, PAUSE_SECONDS_MOST))

    def ready_at(self, now: float, need: Need, kept_share: float) -> float:
        """When an ask may be sent; at most `now` if it may at once."""
        if self.paused_until > now:
            return self.paused_until
        latest = now
        for bucket, amount in zip(self._buckets, need, strict=True):
            # After a minute of silence every limit is full again, whatever a wrong clock made us believe of its reset.
            if bucket.limit is not None and (self.in_flight or now - bucket.learned_at < PERIOD_SECONDS):
                latest = max(latest, bucket.ready_at(now, amount, kept_share))
        if latest > now and not self.in_flight:
            return min(latest, max(b.learned_at + PERIOD_SECONDS for b in self._buckets if b.limit is not None))
        return latest

    def headroom(self, now: float) -> tuple[Headroom, ...]:
        """What is known of each limit."""
        return tuple(
            Headroom(
                model=self.model,
                kind=kind,
                limit=bucket.limit,
                capacity=bucket.capacity,
                remaining=max(bucket.remaining(now), 0.0),
                full_in_seconds=bucket.full_in(now),
                age_seconds=now - bucket.learned_at,
            )
            for kind, bucket in zip(KINDS, self._buckets, strict=True)
            if bucket.limit is not None
        )


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone()
