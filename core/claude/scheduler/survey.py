"""Survey: the scheduler's state as one frozen picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import get_args

from core.claude.messages import Lane
from core.claude.scheduler.dispatcher import Dispatcher
from core.claude.scheduler.lanes import PRIORITIES
from core.claude.scheduler.stats import Paused, SchedulerStats, Waiting
from core.claude.scheduler.tally import Tally
from core.claude.scheduler.ticket import Ticket


def survey(dispatcher: Dispatcher, tickets: Collection[Ticket], tally: Tally, queue_max: int, now: float) -> SchedulerStats:
    """The state at this moment of the loop's clock."""
    waiting = [ticket for ticket in tickets if ticket.state in ("queued", "following", "resting")]
    asks = Counter((ticket.lane, ticket.ask.priority) for ticket in waiting)
    states = Counter(ticket.state for ticket in waiting)
    supplies = sorted(dispatcher.supplies.values(), key=lambda supply: supply.model)
    paused = [(supply.model, supply.paused_until - now) for supply in supplies]
    return SchedulerStats(
        waiting=tuple(
            Waiting(lane=lane, priority=priority, asks=asks[lane, priority])
            for lane in get_args(Lane)
            for priority in PRIORITIES
        ),
        following=states["following"],
        resting=states["resting"],
        oldest_seconds=max((now - ticket.arrived_at for ticket in waiting), default=0.0),
        queue_max=queue_max,
        in_flight_interactive=dispatcher.in_flight["interactive"],
        in_flight_background=dispatcher.in_flight["background"],
        limit=dispatcher.concurrency.limit,
        limit_max=dispatcher.concurrency.maximum,
        headroom=tuple(headroom for supply in supplies for headroom in supply.headroom(now)),
        paused=tuple(Paused(model=model, seconds_left=left) for model, left in paused if left > 0),
        hold_seconds_left=dispatcher.hold.left(now),
        hold_by=dispatcher.hold.by if dispatcher.hold.left(now) else "",
        background_most=dispatcher.slowed.most if dispatcher.slowed.holds(now) else None,
        slowed_by=dispatcher.slowed.by if dispatcher.slowed.holds(now) else "",
        breaker=dispatcher.breaker.stats(),
        counters=tally.counters(),
    )
