"""Sending: one attempt with its money: checked before it is sent, counted when it is over.

Owns that nothing is sent without a reservation, and that every exchange is in the ledger with what it cost.
"""

from __future__ import annotations

from core.claude.budget import Budget
from core.claude.client import ClaudeClient
from core.claude.ledger import Ledger
from core.claude.messages import Ask, AttemptRecord, MessageRequest, OnAttempt, OnText, Reply


class Sending:
    """What the scheduler calls to send."""

    def __init__(
        self,
        client: ClaudeClient,
        budget: Budget,
        ledger: Ledger,
    ) -> None:
        self._client = client
        self._budget = budget
        self._ledger = ledger

    async def __call__(
        self, ask: Ask, request: MessageRequest, timeout_seconds: float, on_text: OnText | None, on_attempt: OnAttempt
    ) -> Reply:
        """Send once; raises ClaudeOverBudget before anything is sent, else as the client does."""
        if request.model != ask.request.model:  # The fallback: the text was not written for it.
            request = self._client.known_models.fitted(request)
        reservation = await self._budget.reserve(ask, request)
        exchanges: list[AttemptRecord] = []

        def over(record: AttemptRecord) -> None:
            exchanges.append(record)
            self._ledger.add(ask, record, request)
            on_attempt(record)

        try:
            return await self._client.send(request, timeout_seconds=timeout_seconds, on_text=on_text, on_attempt=over)
        finally:
            last = exchanges[-1] if exchanges else None
            reservation.settle(last)
