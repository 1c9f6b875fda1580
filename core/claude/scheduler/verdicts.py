"""Verdicts: what the end of a call tells about the API: its concurrency, its pauses, its health."""

from __future__ import annotations

from core.claude.scheduler.concurrency import Concurrency
from core.claude.scheduler.dispatcher import Dispatcher
from core.claude.scheduler.retries import CROWDED, rest_seconds, says_nothing, speaks_against
from core.claude.scheduler.tally import Tally
from core.claude.scheduler.ticket import Ticket
from core.errors import ClaudeCutStream, ClaudeDown, ClaudeError, ClaudeRateLimited, ClaudeTimeout
from core.resilience import CircuitBreaker


class Verdicts:
    """Tells the others what they have to know of an end."""

    def __init__(self, concurrency: Concurrency, breaker: CircuitBreaker, tally: Tally) -> None:
        self._concurrency = concurrency
        self._breaker = breaker
        self._tally = tally

    def judge(self, ticket: Ticket, dispatcher: Dispatcher, failure: ClaudeError | None, *, answered: bool, now: float) -> None:
        """Once for each call that was begun; neither answered nor a failure: it was cancelled, or never sent."""
        seconds = now - ticket.sent_at
        if answered:
            self._concurrency.answered(sum(dispatcher.in_flight.values()) + 1)
            self._breaker.success(seconds)
        elif failure is None:
            self._breaker.abandon(seconds)
        elif speaks_against(failure, seconds):
            self._breaker.failure(seconds, failure)
        elif says_nothing(failure, exchanged=ticket.exchanged):
            self._breaker.abandon(seconds)
        else:
            self._breaker.success(seconds)
        if failure is not None:
            self._learn(failure, ticket, dispatcher, now)
        elif not answered and not ticket.exchanged and seconds == 0:
            dispatcher.supply(ticket.model).give_back(ticket.need)

    def _learn(self, failure: ClaudeError, ticket: Ticket, dispatcher: Dispatcher, now: float) -> None:
        supply = dispatcher.supply(ticket.model)
        if isinstance(failure, CROWDED):
            self._concurrency.refused(ticket.sent_at, now)
            self._tally.note("rate_limited" if isinstance(failure, ClaudeRateLimited) else "overloaded")
            if isinstance(failure, ClaudeRateLimited) or failure.retry_after_seconds is not None:
                supply.pause(now, rest_seconds(failure, ticket))
        elif isinstance(failure, ClaudeDown | ClaudeCutStream):
            self._tally.note("down")
        elif not ticket.exchanged and not isinstance(failure, ClaudeTimeout):
            supply.give_back(ticket.need)
