"""Scheduler: sends asks to Claude as soon as there is room, people first, and tries again what may pass.

Owns the way of an ask from `run` to its reply: deadline, attempts, cancellation. Starts no task: a call runs in its caller's,
so that it ends with it. Refuses an ask at once that cannot be served in time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count

from core.claude.messages import Ask, MessageRequest, OnAttempt, OnText, Reply
from core.claude.scheduler.attempts import Attempts, Send, closing
from core.claude.scheduler.concurrency import Concurrency
from core.claude.scheduler.dispatcher import Dispatcher
from core.claude.scheduler.hold import HOLD_SECONDS_MOST, Hold
from core.claude.scheduler.leaders import prefix_of
from core.claude.scheduler.retries import CROWDED, may_retry, rest_seconds
from core.claude.scheduler.slowed import Slowed
from core.claude.scheduler.stats import SchedulerStats
from core.claude.scheduler.supply import need_of
from core.claude.scheduler.survey import survey
from core.claude.scheduler.tally import Tally
from core.claude.scheduler.ticket import BEFORE_SECONDS, Ticket
from core.claude.scheduler.verdicts import Verdicts
from core.errors import ClaudeError, ClaudeHeld, ClaudeQueueFull, ClaudeRateLimited, ClaudeTimeout, UsageError
from core.ports import Record
from core.resilience import CircuitBreaker

NO_ROOM = "Hold background work, or wait: the Claude page shows which limit leaves no room; a faster model does not help."


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A reply and how it came; `model` is the fallback where that answered, `queue_seconds` the wait before the first send."""

    reply: Reply
    queue_seconds: float
    model: str
    attempts: int = 1
    fell_back: bool = False


class Scheduler:
    """Bound to the loop that first runs an ask; every method is called on it."""

    def __init__(
        self,
        send: Send,
        *,
        concurrency_max: int = 32,
        queue_max: int = 1000,
        interactive_reserve: float = 0.2,
        fallback_model: str | None = None,
        record: Record | None = None,
    ) -> None:
        self._queue_max = queue_max
        self._reserve = interactive_reserve
        self._tally = Tally(record)
        self._loop: asyncio.AbstractEventLoop | None = None
        # Long answers are slow by nature, so only failures open it.
        self.breaker = CircuitBreaker("claude", slow_call_rate=1.1, clock=self._now, on_change=lambda _: self._look_soon())
        self._dispatcher = Dispatcher(
            Concurrency(concurrency_max), self.breaker, self._tally, reserve=interactive_reserve, fallback_model=fallback_model
        )
        verdicts = Verdicts(self._dispatcher.concurrency, self.breaker, self._tally)
        self._attempts = Attempts(send, self._dispatcher, verdicts, self._tally)
        self._tickets: dict[int, Ticket] = {}
        self._numbers = count()
        self._closed = False
        self._empty = asyncio.Event()

    async def open(self) -> None:
        """Take asks, also after a `close`."""
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def close(self) -> None:
        """Refuse new asks, end those that wait or are under way with ClaudeDown, and return when none is left."""
        self._closed = True
        for ticket in list(self._tickets.values()):
            self._attempts.stop(ticket)
            if not ticket.turn.done():
                self._dispatcher.remove(ticket)
                ticket.turn.set_exception(closing())
        while self._tickets:
            self._empty.clear()
            await self._empty.wait()
        self._dispatcher.close()

    async def run(
        self,
        ask: Ask,
        request: MessageRequest | None = None,
        *,
        on_text: OnText | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> Scheduled:
        """Send the ask's request, or `request` in its place, when its turn comes; raises the ClaudeError of its last attempt.

        ClaudeTimeout past the ask's deadline; ClaudeQueueFull, ClaudeHeld or ClaudeRateLimited at once where waiting would be
        in vain. A cancelled caller leaves the queue, or its call is cancelled.
        """
        outcome = "cancelled"
        due_at = asyncio.get_running_loop().time() + ask.deadline_seconds - BEFORE_SECONDS
        self._tally.note("asks")
        try:
            scheduled = await self._serve(ask, request or ask.request, on_text, on_attempt)
            outcome = "ok"
            return scheduled
        except ClaudeError as error:
            outcome = error.kind
            raise
        except Exception:
            outcome = "other"
            raise
        except asyncio.CancelledError:
            outcome = "timeout" if self._now() >= due_at else outcome
            raise
        finally:
            self._tally.over(ask.lane, outcome)

    def promote(self, ask: Ask) -> bool:
        """Somebody waits for this background ask now: treat it as interactive; whether it was still waiting."""
        found = [ticket for ticket in self._tickets.values() if ticket.ask is ask and ticket.lane == "background"]
        waiting = [ticket for ticket in found if ticket.state in ("queued", "following", "resting")]
        for ticket in waiting:
            rests = ticket.state == "resting"
            if not rests:
                self._dispatcher.remove(ticket)
            ticket.lane = "interactive"
            if not rests:
                self._dispatcher.add(ticket)
            self._tally.note("promoted")
        if waiting:
            self._dispatcher.pump()
        return bool(waiting)

    def hold_background(self, seconds: float, by: str = "") -> None:
        """Send no background ask for so long; those under way go on."""
        if not 0 < seconds <= HOLD_SECONDS_MOST:
            raise UsageError(f"Background work is held for up to {HOLD_SECONDS_MOST / 3600:g} hours, not for {seconds:g} s.")
        self._loop = asyncio.get_running_loop()
        self._dispatcher.hold = Hold(self._now() + seconds, by)
        self._look()

    def release_background(self) -> None:
        """End the hold."""
        self._dispatcher.hold = Hold()
        self._look()

    def slow_background(self, seconds: float, by: str = "") -> int:
        """Let half as many background asks be under way for so long, at least one; how many that is. None is cut off."""
        self._loop = asyncio.get_running_loop()
        dispatcher, concurrency = self._dispatcher, self._dispatcher.concurrency
        allowed = concurrency.limit - concurrency.reserved(self._reserve)
        most = max(1, min(allowed, dispatcher.in_flight["background"] or allowed) // 2)
        dispatcher.slowed = Slowed(most, self._now() + min(seconds, HOLD_SECONDS_MOST), by)
        return most

    def restore_background(self) -> None:
        """Let as many be under way again as there is room for."""
        self._dispatcher.slowed = Slowed()
        self._look()

    def stats(self) -> SchedulerStats:
        """Everything as it is now."""
        return survey(self._dispatcher, self._tickets.values(), self._tally, self._queue_max, self._now())

    async def _serve(
        self, ask: Ask, request: MessageRequest, on_text: OnText | None, on_attempt: OnAttempt | None
    ) -> Scheduled:
        ticket = self._enter(ask, request)
        try:
            while True:
                await ticket.turn
                try:
                    reply = await self._attempts.make(ticket, on_text, on_attempt)
                except ClaudeError as error:
                    if not self._again(ticket, error):
                        raise
                else:
                    return Scheduled(
                        reply=reply,
                        queue_seconds=ticket.queue_seconds,
                        model=ticket.model,
                        attempts=ticket.attempts,
                        fell_back=ticket.model != request.model,
                    )
        finally:
            self._leave(ticket)

    def _enter(self, ask: Ask, request: MessageRequest) -> Ticket:
        loop = asyncio.get_running_loop()
        self._loop = loop
        now = loop.time()
        ticket = Ticket(
            sequence=next(self._numbers),
            ask=ask,
            request=request,
            lane=ask.lane,
            need=need_of(request),
            arrived_at=now,
            deadline=now + ask.deadline_seconds,
            turn=loop.create_future(),
            model=request.model,
            prefix=prefix_of(request),
        )
        self._refuse(ticket, now)
        self._tickets[ticket.sequence] = ticket
        self._dispatcher.add(ticket)
        self._wait(ticket)
        return ticket

    def _refuse(self, ticket: Ticket, now: float) -> None:
        """Raise at once what would come of it anyway."""
        if self._closed:
            raise closing()
        if ticket.deadline <= now:
            raise ClaudeTimeout("No time is left to ask.")
        waiting = len(self._tickets) - sum(self._dispatcher.in_flight.values())
        if waiting >= (self._queue_max if ticket.lane == "interactive" else self._queue_max * (1 - self._reserve)):
            self._tally.note("queue_full")
            raise ClaudeQueueFull(f"{waiting} asks wait already.")
        hold = self._dispatcher.hold
        if ticket.lane == "background" and now + hold.left(now) >= ticket.deadline:
            text = f"Background work is held{f' by {hold.by}' if hold.by else ''} for another {hold.left(now):.0f} s."
            raise ClaudeHeld(text, retry_after_seconds=hold.left(now))
        paused_until = self._dispatcher.supply(ticket.request.model).paused_until
        if paused_until >= ticket.deadline and not self._dispatcher.can_fall_back(ticket):
            left = paused_until - now
            raise ClaudeRateLimited(f"The API asks to wait for another {left:.0f} s.", retry_after_seconds=left)

    def _wait(self, ticket: Ticket) -> None:
        """Look whether it may be sent; where it has to wait, until its deadline."""
        self._dispatcher.pump()
        if not ticket.turn.done():
            ticket.timers.append(asyncio.get_running_loop().call_at(ticket.deadline, self._expire, ticket))

    def _expire(self, ticket: Ticket) -> None:
        if ticket.turn.done():
            return
        self._dispatcher.remove(ticket)
        self._tally.note("timeouts_waiting")
        waited = self._now() - ticket.arrived_at
        text = f"Not answered within {waited:.1f} s, the last of them in the queue."
        ticket.turn.set_exception(ClaudeTimeout(text, NO_ROOM))

    def _again(self, ticket: Ticket, error: ClaudeError) -> bool:
        """Let a failed ask wait for another attempt, before all others; whether there is one."""
        if self._closed or not may_retry(error, ticket):
            return False
        now, rest = self._now(), rest_seconds(error, ticket)
        ticket.overloaded = isinstance(error, CROWDED)
        falls_back = ticket.overloaded and self._dispatcher.can_fall_back(ticket)
        if now + rest >= ticket.deadline and not falls_back:
            return False
        self._tally.note("retries")
        ticket.returned, ticket.turn = True, asyncio.get_running_loop().create_future()
        if falls_back or isinstance(error, ClaudeRateLimited):  # Its model is paused for as long.
            self._dispatcher.add(ticket, first=True)
        else:
            self._dispatcher.rest(ticket, rest)
        self._wait(ticket)
        return True

    def _leave(self, ticket: Ticket) -> None:
        """The end of an ask, however it came: nothing of it stays."""
        ticket.stop_timers()
        if ticket.state == "running":  # Its turn came together with its cancellation.
            self._attempts.never_made(ticket)
        self._dispatcher.remove(ticket)
        ticket.state = "gone"
        if ticket.turn.done() and not ticket.turn.cancelled():
            ticket.turn.exception()  # Marks it as seen, where the caller was cancelled meanwhile.
        del self._tickets[ticket.sequence]
        self._empty.set()
        self._dispatcher.pump()

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _look(self) -> None:
        if self._loop is not None:
            self._dispatcher.pump()

    def _look_soon(self) -> None:
        """From any thread: the breaker has changed."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look)
