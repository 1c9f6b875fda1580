"""Claude answers: the headers of an answer, and the problem where there is none.

Owns which status a ClaudeError has. 429: a limit is reached - the API's, our budget, the account's. 502: Claude or its settings
gave nothing that can be used, and asking again at once gives the same. 503: Claude cannot be had for now.
"""

from __future__ import annotations

import math

from starlette.responses import Response

from core.api.problem import problem
from core.claude.messages import Answer
from core.errors import (
    ClaudeCutStream,
    ClaudeDown,
    ClaudeError,
    ClaudeHeld,
    ClaudeOverBudget,
    ClaudeOverloaded,
    ClaudeQueueFull,
    ClaudeRateLimited,
    ClaudeSpendLimit,
    ClaudeTimeout,
)

LIMITS = (ClaudeRateLimited, ClaudeOverBudget, ClaudeSpendLimit)
FOR_NOW = (ClaudeDown, ClaudeOverloaded, ClaudeTimeout, ClaudeQueueFull, ClaudeHeld, ClaudeCutStream)
RETRY_AFTER_SECONDS = 5.0  # Where nobody said when: a breaker's pause.
SPEND_LIMIT_SECONDS = 3600.0  # It is raised by hand.


def answer_headers(answer: Answer | None) -> dict[str, str]:
    """What the cache did and where the time went, in milliseconds; nothing where the rules stand alone."""
    if answer is None:
        return {}
    return {"X-Cache": _said(answer), "Age": str(int(answer.age_seconds)), "Server-Timing": _timing(answer)}


def claude_problem(error: ClaudeError) -> Response:
    """The problem that an error of Claude's makes; `kind` names it, Retry-After where trying again can help."""
    status = 429 if isinstance(error, LIMITS) else 503 if isinstance(error, FOR_NOW) else 502
    headers = {} if status == 502 else {"Retry-After": str(_retry_after_seconds(error))}
    return problem(status, str(error), error.next_step, kind=error.kind, headers=headers)


def _retry_after_seconds(error: ClaudeError) -> int:
    usual = SPEND_LIMIT_SECONDS if isinstance(error, ClaudeSpendLimit) else RETRY_AFTER_SECONDS
    return max(1, math.ceil(error.retry_after_seconds or usual))


def _said(answer: Answer) -> str:
    """`hit; tier=memory`, `miss; reason=cold` (`fresh`: not looked for), or `stale; reason=` and the kind of the failure."""
    if not answer.cache_outcome:
        return "miss; reason=fresh"
    if answer.cache_outcome == "hit":
        return f"hit; tier={answer.cache_tier}"
    return f"{answer.cache_outcome}; reason={answer.cache_reason}" if answer.cache_reason else answer.cache_outcome


def _timing(answer: Answer) -> str:
    parts = [("cache" if answer.cache_outcome == "hit" else "claude", answer.duration_seconds)]
    if answer.attempts:
        parts.insert(0, ("claude-queue", answer.queue_seconds))
        if answer.first_token_seconds is not None:
            parts.insert(1, ("claude-first-token", answer.first_token_seconds))
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in parts)
