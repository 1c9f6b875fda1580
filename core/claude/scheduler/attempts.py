"""Attempts: one call within its deadline, in its caller's own task; whatever comes of it is learned from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from core.claude.messages import Ask, AttemptRecord, MessageRequest, OnAttempt, OnText, Reply
from core.claude.scheduler.dispatcher import Dispatcher
from core.claude.scheduler.tally import Tally
from core.claude.scheduler.ticket import Ticket
from core.claude.scheduler.verdicts import Verdicts
from core.errors import ClaudeDown, ClaudeError, ClaudeTimeout

Send = Callable[[Ask, MessageRequest, float, OnText | None, OnAttempt], Awaitable[Reply]]
"""Sends once: ask, request, seconds that are left, and who listens; raises a ClaudeError."""


class Attempts:
    """Sends what the dispatcher gave its turn."""

    def __init__(self, send: Send, dispatcher: Dispatcher, verdicts: Verdicts, tally: Tally) -> None:
        self._send = send
        self._dispatcher = dispatcher
        self._verdicts = verdicts
        self._tally = tally

    async def make(self, ticket: Ticket, on_text: OnText | None, on_attempt: OnAttempt | None) -> Reply:
        """Send once; raises the ClaudeError of the call, ClaudeTimeout at the deadline."""

        def heard(text: str) -> None:
            self._dispatcher.begun(ticket)
            if on_text is not None:
                ticket.shown = True
                on_text(text)

        def over(record: AttemptRecord) -> None:
            ticket.exchanged = True
            self._dispatcher.supply(ticket.model).learn(_now(), ticket.marks, ticket.sent_at, record)
            if on_attempt is not None:
                on_attempt(record)

        # A leader streams, so that its followers need not wait for its end.
        listens = heard if on_text is not None or self._dispatcher.leads(ticket) else None
        reply, failure = None, None
        try:
            reply = await self._within_deadline(ticket, listens, over)
            return reply
        except ClaudeError as error:
            failure = error
            raise
        except asyncio.CancelledError:
            if ticket.is_due(_now()):
                self._tally.note("timeouts_under_way")
                failure = ClaudeTimeout("Its caller waited no longer.")
            raise
        finally:
            self._dispatcher.ended(ticket, reply.usage if reply else None)
            self._verdicts.judge(ticket, self._dispatcher, failure, answered=reply is not None, now=_now())

    def never_made(self, ticket: Ticket) -> None:
        """Its turn came together with its cancellation."""
        self._dispatcher.ended(ticket, None)
        self._verdicts.judge(ticket, self._dispatcher, None, answered=False, now=_now())

    def stop(self, ticket: Ticket) -> None:
        """End a call under way with ClaudeDown: the console is closing."""
        if ticket.scope is not None:
            ticket.stopped = True
            ticket.scope.reschedule(_now())

    async def _within_deadline(self, ticket: Ticket, on_text: OnText | None, on_attempt: OnAttempt) -> Reply:
        request = ticket.request_for(ticket.model)
        scope = ticket.scope = asyncio.timeout_at(ticket.deadline)
        try:
            async with scope:
                return await self._send(ticket.ask, request, ticket.deadline - ticket.sent_at, on_text, on_attempt)
        except TimeoutError:
            if not scope.expired():
                raise
            if ticket.stopped:
                raise closing() from None
            self._tally.note("timeouts_under_way")
            raise ClaudeTimeout(f"No answer within {_now() - ticket.arrived_at:.1f} s.") from None
        finally:
            ticket.scope = None


def closing() -> ClaudeDown:
    """What an ask gets that comes too late."""
    return ClaudeDown("The console is closing.", "Start it again.")


def _now() -> float:
    return asyncio.get_running_loop().time()
