"""Lane: the asks of one lane that may be sent when there is room.

Owns their order: what was sent before and comes back, then critical, high, normal, low; first come, first served within each.
An ask moves up by one priority for each AGE_SECONDS that it waits, so that none waits for ever. Each model has an order of its
own, so that one that has to wait does not hold up another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from core.claude.messages import Priority
from core.claude.scheduler.ticket import Ticket

PRIORITIES: tuple[Priority, ...] = ("critical", "high", "normal", "low")
AGE_SECONDS = 30.0  # Longer than people wait: within their deadlines the priorities are strict.

_Queue = OrderedDict[int, Ticket]


class Lane:
    """The waiting tickets of one lane; every step is O(models)."""

    def __init__(self) -> None:
        self._queues: dict[str, tuple[_Queue, ...]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Ticket]:
        for queues in self._queues.values():
            for queue in queues:
                yield from queue.values()

    def add(self, ticket: Ticket, *, first: bool = False) -> None:
        """At the end of its priority, or at its front."""
        queues = self._queues.setdefault(ticket.request.model, tuple(_Queue() for _ in range(len(PRIORITIES) + 1)))
        queue = queues[_position(ticket)]
        queue[ticket.sequence] = ticket
        if first:
            queue.move_to_end(ticket.sequence, last=False)
        self._size += 1

    def remove(self, ticket: Ticket) -> None:
        """Take out one that is in it."""
        queues = self._queues[ticket.request.model]
        del queues[_position(ticket)][ticket.sequence]
        if not any(queues):
            del self._queues[ticket.request.model]
        self._size -= 1

    def heads(self, now: float) -> list[Ticket]:
        """The next one of each model, the best first."""
        found = [min(_ranked(queues, now)) for queues in self._queues.values()]
        return [ticket for _, _, ticket in sorted(found)] if len(found) > 1 else [ticket for _, _, ticket in found]


def _position(ticket: Ticket) -> int:
    return 0 if ticket.returned else 1 + PRIORITIES.index(ticket.ask.priority)


def _ranked(queues: tuple[_Queue, ...], now: float) -> Iterator[tuple[int, int, Ticket]]:
    """The first of each priority with its rank; sequences differ, so tickets are never compared."""
    for position, queue in enumerate(queues):
        if queue:
            # Those that came back did so in any order.
            ticket = next(iter(queue.values())) if position else queue[min(queue)]
            aged = int((now - ticket.arrived_at) // AGE_SECONDS) if position > 1 else 0
            yield max(position - aged, min(position, 1)), ticket.sequence, ticket
