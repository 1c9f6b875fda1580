"""Ticket: one ask on its way through the scheduler."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Literal

from core.claude.messages import Ask, Lane, MessageRequest
from core.claude.scheduler.supply import Need

PrefixKey = tuple[str, str, bytes]
"""Model, system prompt and schema: what the API's prompt cache sees first of a request."""

BEFORE_SECONDS = 0.1  # A caller with the same deadline started its own watch a moment earlier.
State = Literal["new", "queued", "following", "resting", "running", "gone"]


@dataclass(slots=True, eq=False)
class Ticket:
    """State of an ask; times in seconds of the loop's clock, `turn` is done when it may be sent to `model`."""

    sequence: int
    ask: Ask
    request: MessageRequest
    lane: Lane
    need: Need
    arrived_at: float
    deadline: float
    turn: asyncio.Future[None]
    model: str
    state: State = "new"
    returned: bool = False  # Sent once already: it goes before all others of its lane.
    attempts: int = 0
    sent_at: float = 0.0
    queue_seconds: float = 0.0  # Before the first send.
    marks: tuple[float, ...] = ()
    exchanged: bool = False  # The API has seen the present attempt.
    shown: bool = False  # Some text of it was passed on.
    fell_back: bool = False
    overloaded: bool = False  # The last attempt met a 429 or 529.
    prefix: PrefixKey | None = None
    unled: bool = False  # Does not wait for a leader any more.
    scope: asyncio.Timeout | None = None  # Of the present attempt.
    stopped: bool = False
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def request_for(self, model: str) -> MessageRequest:
        """The request as this model gets it."""
        return self.request if model == self.request.model else replace(self.request, model=model)

    def is_due(self, now: float) -> bool:
        """Whether a cancellation at this moment means that the time is over."""
        return now >= self.deadline - BEFORE_SECONDS

    def stop_timers(self) -> None:
        """Nothing wakes it any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
