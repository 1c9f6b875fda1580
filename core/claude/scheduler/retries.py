"""Retries: which failures are worth another attempt, after how long, and which speak against the API."""

from __future__ import annotations

from core.claude.scheduler.ticket import Ticket
from core.errors import ClaudeCutStream, ClaudeDown, ClaudeError, ClaudeOverloaded, ClaudeRateLimited, ClaudeTimeout

ATTEMPTS_MOST = 4
FIRST_SECONDS = 0.5  # As the SDK's own: twice as long each time, eight seconds at most.
SECONDS_MOST = 8.0
SPREAD = 0.25
GOLDEN = 0.618034  # Spreads consecutive numbers evenly over 0 to 1 (Knuth, TAOCP 3, 6.4), so that nothing random is needed.
ENOUGH_SECONDS = 5.0  # A time-out after less says nothing about the API.

AGAIN = (ClaudeRateLimited, ClaudeOverloaded, ClaudeDown, ClaudeCutStream)
CROWDED = (ClaudeRateLimited, ClaudeOverloaded)
AGAINST = (ClaudeOverloaded, ClaudeDown, ClaudeCutStream)


def may_retry(error: ClaudeError, ticket: Ticket) -> bool:
    """Whether this failure may pass, and nobody has seen a part of the answer."""
    return isinstance(error, AGAIN) and ticket.attempts < ATTEMPTS_MOST and not ticket.shown


def rest_seconds(error: ClaudeError, ticket: Ticket) -> float:
    """How long to wait before the next attempt: what the API asks for, else longer each time and spread out."""
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    seconds = min(FIRST_SECONDS * 2.0 ** (ticket.attempts - 1), SECONDS_MOST)
    return seconds * (1 + SPREAD * (ticket.sequence * GOLDEN % 1))


def speaks_against(error: ClaudeError, seconds: float) -> bool:
    """Whether the circuit breaker counts this as a failure of the API; a 400, a refusal or a 429 is an answer."""
    return isinstance(error, AGAINST) or (isinstance(error, ClaudeTimeout) and seconds >= ENOUGH_SECONDS)


def says_nothing(error: ClaudeError, *, exchanged: bool) -> bool:
    """Whether the API had no part in it: nothing was sent, or its time was too short."""
    return not exchanged or isinstance(error, ClaudeTimeout)
