"""Exchange: one HTTP exchange with the API while it runs, and what is known of it when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from core.claude.limits import headroom, retry_after_seconds
from core.claude.messages import AttemptRecord, RateHeadroom, Usage


class Exchange:
    """Filled as the exchange goes on; `begun` says whether anything was to be sent, `reached` whether it can have arrived."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.begun = False
        self.reached = True
        self.outcome = "other"
        self.status: int | None = None
        self.request_id = ""
        self.usage = Usage()
        self.first_token_seconds: float | None = None
        self.retry_after_seconds: float | None = None
        self.headroom: Mapping[str, RateHeadroom] = {}
        self._started_at = datetime.now(UTC)
        self._started = monotonic()

    @property
    def elapsed_seconds(self) -> float:
        """Since it began."""
        return monotonic() - self._started

    def begin(self) -> None:
        """It is about to be sent."""
        self.begun = True
        self._started_at, self._started = datetime.now(UTC), monotonic()

    def answered(self, status: int, headers: Any) -> None:
        """The head of the answer is there."""
        self.status = status
        self.request_id = headers.get("request-id", "")
        self.headroom = headroom(headers.raw)
        if status >= 400:
            self.retry_after_seconds = retry_after_seconds(headers, datetime.now(UTC))

    def saw_text(self) -> None:
        """A piece of text has arrived."""
        if self.first_token_seconds is None:
            self.first_token_seconds = self.elapsed_seconds

    def record(self) -> AttemptRecord:
        """The exchange as it ended."""
        return AttemptRecord(
            model=self.model,
            outcome=self.outcome,
            status=self.status,
            request_id=self.request_id,
            started_at=self._started_at,
            duration_seconds=self.elapsed_seconds,
            first_token_seconds=self.first_token_seconds,
            usage=self.usage,
            retry_after_seconds=self.retry_after_seconds,
            reached=self.reached,
            headroom=self.headroom,
        )
