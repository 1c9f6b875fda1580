"""Leaders: of several asks with one cold prefix the first goes ahead, the others follow once it is in the API's prompt cache.

An entry of that cache can be read only after the first answer to it has begun; sent together, all would pay for writing it
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching). A person never waits for a background leader, and for
another person's at most WAIT_SECONDS.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

import orjson

from core.claude.messages import MessageRequest, Usage
from core.claude.scheduler.ticket import PrefixKey, Ticket

WAIT_SECONDS = 0.5  # About the time to a first token; more would be felt.
CACHEABLE_CHARACTERS = 2048  # The least that any model caches is 512 tokens, of four characters at most.
WARM_SECONDS = 290.0  # The API keeps an entry for five minutes after each use.
USELESS_SECONDS = 3600.0  # How long to believe that a prefix is not cached: too short for its model, or not marked.
PREFIXES_MOST = 256


def prefix_of(request: MessageRequest) -> PrefixKey | None:
    """What is cached of a request; None when it is too short to be."""
    if len(request.system) < CACHEABLE_CHARACTERS:
        return None
    schema = orjson.dumps(request.schema, option=orjson.OPT_SORT_KEYS) if request.schema else b""
    return (request.model, request.system, schema)


@dataclass(slots=True, eq=False)
class _Prefix:
    leader: Ticket | None = None
    followers: dict[int, Ticket] = field(default_factory=dict)
    open_until: float = -math.inf  # Until then asks go at once: it is warm, or is never cached.


class Leaders:
    """The prefixes of this process; times in seconds of the loop's clock."""

    def __init__(self) -> None:
        self._prefixes: OrderedDict[PrefixKey, _Prefix] = OrderedDict()

    def holds(self, ticket: Ticket, now: float) -> bool:
        """Whether this ask waits for a leader under way."""
        prefix = self._prefixes.get(ticket.prefix) if ticket.prefix else None
        if prefix is None or prefix.leader is None or now < prefix.open_until or ticket.unled:
            return False
        return ticket.lane == "background" or prefix.leader.lane == "interactive"

    def follow(self, ticket: Ticket) -> None:
        """Wait for it."""
        assert ticket.prefix is not None
        self._prefixes[ticket.prefix].followers[ticket.sequence] = ticket

    def leave(self, ticket: Ticket) -> None:
        """A follower waits no more."""
        assert ticket.prefix is not None
        self._prefixes[ticket.prefix].followers.pop(ticket.sequence, None)

    def sent(self, ticket: Ticket, now: float) -> bool:
        """An ask is sent; whether it leads."""
        if ticket.prefix is None or ticket.model != ticket.request.model:
            return False
        prefix = self._prefixes.setdefault(ticket.prefix, _Prefix())
        self._prefixes.move_to_end(ticket.prefix)
        self._forget()
        if prefix.leader is not None or now < prefix.open_until:
            return False
        prefix.leader = ticket
        return True

    def leads(self, ticket: Ticket) -> bool:
        """Whether others wait, or would wait, for it."""
        prefix = self._prefixes.get(ticket.prefix) if ticket.prefix else None
        return prefix is not None and prefix.leader is ticket

    def begun(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A leader's answer has begun; returns those that may go now."""
        return self._opened(ticket, now + WARM_SECONDS)

    def ended(self, ticket: Ticket, now: float, usage: Usage | None) -> list[Ticket]:
        """An ask is over, without a usage when it failed; returns those that may go, the first perhaps as leader."""
        prefix = self._prefixes.get(ticket.prefix) if ticket.prefix else None
        if prefix is None or ticket.model != ticket.request.model:
            return []
        led = prefix.leader is ticket
        if usage is not None:
            cached = usage.all_input_tokens > usage.input_tokens
            prefix.open_until = max(prefix.open_until, now + (WARM_SECONDS if cached else USELESS_SECONDS))
        return self._opened(ticket, prefix.open_until) if led else []

    def _opened(self, ticket: Ticket, until: float) -> list[Ticket]:
        assert ticket.prefix is not None
        prefix = self._prefixes[ticket.prefix]
        prefix.leader, prefix.open_until = None, until
        followers, prefix.followers = list(prefix.followers.values()), {}
        return followers

    def _forget(self) -> None:
        """Drop the one that was not used for longest, unless it is in use."""
        if len(self._prefixes) > PREFIXES_MOST:
            key, prefix = next(iter(self._prefixes.items()))
            if prefix.leader is None and not prefix.followers:
                del self._prefixes[key]
            else:
                self._prefixes.move_to_end(key)
