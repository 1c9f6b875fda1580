"""RateLimits: the token buckets of each model, and the headers that tell of them.

Owns admission: a limit refills continuously, so that 60 a minute is one a second once the burst is used up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

from core.claude.rehearsal.api_error import ApiError, Headers
from core.claude.rehearsal.dials import DialValues

_NAMES = {"requests": "requests", "input-tokens": "input tokens", "output-tokens": "output tokens"}
_HEADERS = {
    name: tuple(f"anthropic-ratelimit-{name}-{part}".encode() for part in ("limit", "remaining", "reset"))
    for name in (*_NAMES, "tokens")
}


class Bucket:
    """One limit of one model; its level may be negative after an answer that was longer than what was left."""

    def __init__(self, per_minute: float, burst_seconds: float, now: float) -> None:
        self.per_minute = per_minute
        self.burst_seconds = burst_seconds
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate * burst_seconds)
        self._level = self._most
        self._at = now

    def level(self, now: float) -> float:
        """What may be used now."""
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        """Use so much of the level that was last asked for."""
        self._level -= amount

    def seconds_until(self, amount: float) -> float:
        """How long until so much may be used."""
        return max(0.0, (min(amount, self._most) - self._level) / self._rate)

    def seconds_until_full(self) -> float:
        """How long until nothing is used."""
        return (self._most - self._level) / self._rate


class RateLimits:
    """The buckets of all models; bound to one event loop."""

    def __init__(self, wall: Callable[[float], float]) -> None:
        self._wall = wall
        self._reset = _Reset()
        self._buckets: dict[str, dict[str, Bucket]] = {}

    def admit(self, model: str, dials: DialValues, input_tokens: int, output_tokens: int, now: float) -> Headers:
        """Count one request and give the headers of its answer; raises ApiError 429 and counts nothing."""
        buckets = self._of(model, dials, now)
        needs = {"requests": 1.0, "input-tokens": float(input_tokens), "output-tokens": 1.0}
        for name, bucket in buckets.items():
            if bucket.level(now) + 1e-9 < needs[name]:
                raise self._exceeded(name, bucket, needs[name], buckets, now)
        uses = {**needs, "output-tokens": float(output_tokens)}
        for name, bucket in buckets.items():
            bucket.take(uses[name])
        return self._headers(buckets, now)

    def headers(self, model: str, dials: DialValues, now: float) -> Headers:
        """The headers now, with nothing counted."""
        return self._headers(self._of(model, dials, now), now)

    def _of(self, model: str, dials: DialValues, now: float) -> dict[str, Bucket]:
        wanted = {
            "requests": dials.requests_per_minute,
            "input-tokens": dials.input_tokens_per_minute,
            "output-tokens": dials.output_tokens_per_minute,
        }
        buckets = self._buckets.setdefault(model, {})
        for name, per_minute in wanted.items():
            bucket = buckets.get(name)
            if per_minute is None:
                buckets.pop(name, None)
            elif bucket is None or (bucket.per_minute, bucket.burst_seconds) != (per_minute, dials.burst_seconds):
                buckets[name] = Bucket(per_minute, dials.burst_seconds, now)
        return buckets

    def _exceeded(self, name: str, bucket: Bucket, need: float, buckets: dict[str, Bucket], now: float) -> ApiError:
        wait = max(1, math.ceil(bucket.seconds_until(need)))
        message = (
            f"This request would exceed your organization's rate limit of {bucket.per_minute:,.0f} {_NAMES[name]} per minute."
        )
        return ApiError(429, "rate_limit_error", message, [(b"retry-after", b"%d" % wait), *self._headers(buckets, now)])

    def _headers(self, buckets: dict[str, Bucket], now: float) -> Headers:
        found: Headers = []
        wall = self._wall(now)
        for name, bucket in buckets.items():
            found += self._header(name, bucket, now, wall)
        ends = [bucket for name, bucket in buckets.items() if name != "requests"]
        if ends:  # The API shows the tighter of the two limits as that of tokens.
            found += self._header("tokens", min(ends, key=lambda bucket: bucket.level(now)), now, wall)
        return found

    def _header(self, name: str, bucket: Bucket, now: float, wall: float) -> Headers:
        limit, remaining, reset = _HEADERS[name]
        return [
            (limit, b"%d" % bucket.per_minute),
            (remaining, b"%d" % max(0, int(bucket.level(now)))),
            (reset, self._reset.words(math.ceil(wall + bucket.seconds_until_full()))),
        ]


class _Reset:
    """The words for a moment, made once a second: three limits of a thousand requests name the same one."""

    def __init__(self) -> None:
        self._second = -1
        self._words = b""

    def words(self, second: int) -> bytes:
        if second != self._second:
            self._second = second
            self._words = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        return self._words
