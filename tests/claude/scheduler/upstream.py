"""Upstream: an API of which only the rates and the times are real: a token bucket that answers 429, and latency under load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from core.claude.messages import Ask, AttemptRecord, MessageRequest, OnAttempt, OnText, RateHeadroom, Reply, Usage
from core.errors import ClaudeRateLimited
from tests.claude.scheduler.scripted_api import reply, wall
from tests.virtual_time import now, pass_time

BURST_SECONDS = 10.0
USAGE = Usage(input_tokens=400, output_tokens=150)


class Upstream:
    """Admits `per_minute` requests in the long run; a call takes the seconds of its ask's name, more where it is crowded."""

    def __init__(self, seconds: Mapping[str, float], *, per_minute: int, comfortable: float = math.inf) -> None:
        self.refused = self.admitted = self.most_in_flight = 0
        self._seconds = seconds
        self._per_minute = per_minute
        self._comfortable = comfortable
        self._rate = per_minute / 60
        self._capacity = self._rate * BURST_SECONDS
        self._level = self._capacity
        self._at = 0.0
        self._in_flight = 0

    async def send(
        self, ask: Ask, request: MessageRequest, timeout_seconds: float, on_text: OnText | None, on_attempt: OnAttempt
    ) -> Reply:
        """One call: admitted and answered, or refused at once."""
        started, started_at = now(), wall()
        admitted = self._admit()
        headroom = self._headroom()
        retry_after = None if admitted else float(math.ceil((1 - self._level) / self._rate))
        if admitted:
            await self._answer(self._seconds[ask.prompt_name])
        on_attempt(
            AttemptRecord(
                model=request.model,
                outcome="ok" if admitted else "rate_limited",
                status=200 if admitted else 429,
                request_id="",
                started_at=started_at,
                duration_seconds=now() - started,
                usage=USAGE if admitted else Usage(),
                retry_after_seconds=retry_after,
                headroom=headroom,
            )
        )
        if not admitted:
            raise ClaudeRateLimited("429", retry_after_seconds=retry_after)
        return reply(request.model, USAGE, now() - started)

    def _admit(self) -> bool:
        self._level = min(self._level + (now() - self._at) * self._rate, self._capacity)
        self._at = now()
        admitted = self._level >= 1
        self._level -= admitted
        self.admitted += admitted
        self.refused += not admitted
        return admitted

    def _headroom(self) -> dict[str, RateHeadroom]:
        """As the headers say it: whole numbers, and the time when the bucket is full again to the second."""
        full = wall() + timedelta(seconds=(self._capacity - self._level) / self._rate)
        told = RateHeadroom(limit=self._per_minute, remaining=int(self._level), resets_at=full.replace(microsecond=0))
        return {"requests": told}

    async def _answer(self, seconds: float) -> None:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await pass_time(seconds * max(1.0, self._in_flight / self._comfortable))
        finally:
            self._in_flight -= 1
