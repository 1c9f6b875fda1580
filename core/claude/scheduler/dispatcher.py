"""Dispatcher: decides which ask is sent next, and when.

Owns the lanes, the calls under way and one timer. It looks whenever something has changed (an ask came, a call ended, a pause
or a hold is over), never in between. People come first. Of the concurrency and of each rate limit a share is left to them;
where background work has not moved for PATIENCE_SECONDS, one ask of it goes before people, and into their share.
"""

from __future__ import annotations

import asyncio
import math

from core.claude.messages import Lane as LaneName
from core.claude.messages import Usage
from core.claude.scheduler.concurrency import Concurrency
from core.claude.scheduler.hold import Hold
from core.claude.scheduler.lanes import Lane
from core.claude.scheduler.leaders import WAIT_SECONDS, Leaders
from core.claude.scheduler.slowed import Slowed
from core.claude.scheduler.supply import Supply
from core.claude.scheduler.tally import Tally
from core.claude.scheduler.ticket import Ticket
from core.errors import ClaudeDown
from core.resilience import CircuitBreaker

PATIENCE_SECONDS = 10.0
TRIAL_WAIT_SECONDS = (
    2.0  # What people wait for the breaker's next trial: a short trouble passes unseen, an outage is told at once.
)
PRESS_AGAIN = "Press Ask Claude again on the Claude page; until then the rules answer."
TRIED_AGAIN = "It is tried again by itself within half a minute; until then the rules answer."


class Dispatcher:
    """Bound to one loop."""

    def __init__(
        self, concurrency: Concurrency, breaker: CircuitBreaker, tally: Tally, *, reserve: float, fallback_model: str | None
    ) -> None:
        self.concurrency = concurrency
        self.breaker = breaker
        self.hold = Hold()
        self.slowed = Slowed()
        self.in_flight: dict[LaneName, int] = {"interactive": 0, "background": 0}
        self.supplies: dict[str, Supply] = {}
        self._tally = tally
        self._reserve = reserve
        self._fallback_model = fallback_model
        self._lanes: dict[LaneName, Lane] = {"interactive": Lane(), "background": Lane()}
        self._leaders = Leaders()
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = math.inf
        self._background_at = 0.0  # When background work moved last, or began to wait.

    def add(self, ticket: Ticket, *, first: bool = False) -> None:
        """Let an ask wait for its turn."""
        if ticket.lane == "background" and not self._lanes["background"]:
            self._background_at = _now()
        ticket.state = "queued"
        self._lanes[ticket.lane].add(ticket, first=first)

    def rest(self, ticket: Ticket, seconds: float) -> None:
        """Let an ask wait for so long before it waits for its turn, at the front."""
        ticket.state = "resting"
        ticket.timers.append(asyncio.get_running_loop().call_later(seconds, self._wake, ticket))

    def remove(self, ticket: Ticket) -> None:
        """Take an ask that waits out of wherever it is."""
        if ticket.state == "queued":
            self._lanes[ticket.lane].remove(ticket)
        elif ticket.state == "following":
            self._leaders.leave(ticket)
        ticket.state = "new"

    def supply(self, model: str) -> Supply:
        """What the API allows this model."""
        known = self.supplies.get(model)
        if known is None:
            known = self.supplies[model] = Supply(model)
        return known

    def can_fall_back(self, ticket: Ticket) -> bool:
        """Whether another model may answer: once, and for people only, since background work can wait."""
        other = self._fallback_model
        return other not in (None, ticket.request.model) and ticket.lane == "interactive" and not ticket.fell_back

    def leads(self, ticket: Ticket) -> bool:
        """Whether the first event of its answer has to be heard."""
        return self._leaders.leads(ticket)

    def begun(self, ticket: Ticket) -> None:
        """The answer to an ask has begun."""
        if self._leaders.leads(ticket):
            self._come_back(self._leaders.begun(ticket, _now()))
            self.pump()

    def ended(self, ticket: Ticket, usage: Usage | None) -> None:
        """A call is over, however; without a usage when it failed."""
        ticket.state = "new"
        self.in_flight[ticket.lane] -= 1
        self.supply(ticket.model).ended()
        self._come_back(self._leaders.ended(ticket, _now(), usage))

    def pump(self) -> None:
        """Send whatever may be sent now, and set the timer for what may be sent later."""
        now = _now()
        while True:
            ticket, model, wake = self._choose(now)
            if ticket is None:
                break
            if ticket.turn.done():  # Its caller was cancelled and has not run yet.
                self.remove(ticket)
            elif model == ticket.request.model and self._leaders.holds(ticket, now):
                self._follow(ticket)
            elif self.breaker.allow():
                self._start(ticket, model, now)
            else:
                wake = self._left_alone(now)
                break
        self._set_timer(wake)
        self._tally.level(sum(self.in_flight.values()), sum(map(len, self._lanes.values())), self.concurrency.limit)

    def close(self) -> None:
        """Look no more."""
        self._set_timer(math.inf)

    def _choose(self, now: float) -> tuple[Ticket | None, str, float]:
        """The next ask and the model to send it to; else when to look again."""
        wake, in_flight = math.inf, sum(self.in_flight.values())
        if in_flight >= self.concurrency.limit:
            return None, "", wake
        patient_until = self._background_at + PATIENCE_SECONDS
        impatient = bool(self._lanes["background"]) and now >= patient_until
        order: tuple[LaneName, ...] = ("background", "interactive") if impatient else ("interactive", "background")
        for name in order:
            kept = self._reserve if name == "background" and not impatient else 0.0
            if name == "background" and (left := self.hold.left(now)):
                wake = min(wake, now + left)
                continue
            if name == "background" and self.slowed.full(self.in_flight[name], now):
                wake = min(wake, self.slowed.until)
                continue
            if kept and self._lanes[name]:
                wake = min(wake, patient_until)
                if in_flight >= self.concurrency.limit - self.concurrency.reserved(kept):
                    continue
            for ticket in self._lanes[name].heads(now):
                at, model = self._route(ticket, now, kept)
                if at <= now:
                    return ticket, model, wake
                wake = min(wake, at)
        return None, "", wake

    def _route(self, ticket: Ticket, now: float, kept: float) -> tuple[float, str]:
        """When and to which model an ask may be sent."""
        first = self.supply(ticket.request.model)
        if self._fallback_model and (ticket.overloaded or first.paused_until > now) and self.can_fall_back(ticket):
            other = self.supply(self._fallback_model)
            if other.ready_at(now, ticket.need, kept) <= now:
                return now, other.model
        return first.ready_at(now, ticket.need, kept), first.model

    def _start(self, ticket: Ticket, model: str, now: float) -> None:
        self._lanes[ticket.lane].remove(ticket)
        ticket.stop_timers()
        ticket.state, ticket.model, ticket.sent_at = "running", model, now
        ticket.exchanged = ticket.overloaded = False
        if model != ticket.request.model:
            ticket.fell_back = True
            self._tally.note("fallbacks")
        if not ticket.attempts:
            ticket.queue_seconds = now - ticket.arrived_at
            self._tally.sent(ticket.lane, ticket.queue_seconds)
        ticket.attempts += 1
        ticket.marks = self.supply(model).take(now, ticket.need)
        self.in_flight[ticket.lane] += 1
        if ticket.lane == "background":
            self._background_at = now
        if self._leaders.sent(ticket, now):
            self._tally.note("led")
        ticket.turn.set_result(None)

    def _follow(self, ticket: Ticket) -> None:
        self._lanes[ticket.lane].remove(ticket)
        ticket.state = "following"
        self._leaders.follow(ticket)
        self._tally.note("followed")
        if ticket.lane == "interactive":
            ticket.timers.append(asyncio.get_running_loop().call_later(WAIT_SECONDS, self._wake, ticket))

    def _wake(self, ticket: Ticket) -> None:
        """An ask has rested, or followed for long enough."""
        ticket.unled = ticket.unled or ticket.state == "following"
        if ticket.state in ("following", "resting"):
            self.remove(ticket)
            self.add(ticket, first=True)
            self.pump()

    def _come_back(self, followers: list[Ticket]) -> None:
        for ticket in sorted(followers, key=lambda ticket: ticket.sequence, reverse=True):
            self.add(ticket, first=True)

    def _left_alone(self, now: float) -> float:
        """The breaker refuses: people hear so unless a trial is near, background work waits; returns when to look again."""
        stats = self.breaker.stats()
        if stats.state == "half_open":
            return math.inf  # The end of its trial calls decides.
        if stats.retry_in_seconds is not None and stats.retry_in_seconds <= TRIAL_WAIT_SECONDS:
            return now + stats.retry_in_seconds
        for ticket in list(self._lanes["interactive"]):
            self.remove(ticket)
            if ticket.turn.done():
                continue
            self._tally.note("refused_by_breaker")
            by_hand = stats.state == "forced_open"
            text = f"The API is left alone for a while: {'an operator wants it so.' if by_hand else stats.last_error}"
            step = PRESS_AGAIN if by_hand else TRIED_AGAIN
            ticket.turn.set_exception(ClaudeDown(text, step, retry_after_seconds=stats.retry_in_seconds))
        return math.inf if stats.retry_in_seconds is None else now + stats.retry_in_seconds

    def _set_timer(self, wake: float) -> None:
        if wake == self._wake_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wake_at = wake
        self._timer = None if wake == math.inf else asyncio.get_running_loop().call_at(wake, self._look)

    def _look(self) -> None:
        self._timer, self._wake_at = None, math.inf
        self.pump()


def _now() -> float:
    return asyncio.get_running_loop().time()
