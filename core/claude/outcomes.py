"""Outcomes: what became of asks, as metrics.

Owns their names and labels: scope (claude, rehearsal), lane, and how an answer came about (made, joined, hit, stale). An ask
without an answer counts under the kind of its error.
"""

from __future__ import annotations

from core.claude.messages import Answer, Ask
from core.ports import Record


class Outcomes:
    """Records to one recorder."""

    def __init__(self, record: Record, scope: str) -> None:
        self._record = record
        self._scope = scope

    def answered(self, ask: Ask, answer: Answer) -> None:
        """An ask has its answer; durations are what the asking one waited, in seconds."""
        how = "made" if answer.attempts else {"hit": "hit", "stale": "stale"}.get(answer.cache_outcome, "joined")
        self._record.record("claude_answer_seconds", answer.duration_seconds, (self._scope, ask.lane, how))
        self._record.count("claude_answers", 1, (self._scope, how))
        if answer.first_token_seconds is not None:
            self._record.record("claude_first_token_seconds", answer.first_token_seconds, (self._scope,))

    def failed(self, kind: str) -> None:
        """An ask ended without an answer."""
        self._record.count("claude_answers", 1, (self._scope, kind))
