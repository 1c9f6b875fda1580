"""Outbox: changes that did not reach Redis, until they do.

Owns the newest change of each key and tag. Refuses to grow without bound: too many changes become one, of the tag that
every value carries. Bound to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from core.cache.tags import EVERYTHING

CHUNK = 500  # Keys in one command: well below a millisecond of Redis' only thread.


class Target(Protocol):
    """Where changes are sent to: the Redis tier. Each call raises DependencyError when it did not arrive."""

    async def delete(self, keys: Sequence[str], /) -> Any:
        """Delete keys, and tell every process."""
        ...

    async def renew_tag(self, tag: str, /) -> Any:
        """Give a tag a new generation, and tell every process."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """What waits to be sent."""

    keys: int
    tags: int
    everything: bool


class Outbox:
    """What Redis holds under the keys and tags in it is older than what this process knows, and not to be believed."""

    def __init__(self, max_items: int = 10_000) -> None:
        self._max_items = max_items
        self._number = 0  # Tells a change that was added anew during a replay from the one that was sent.
        self._keys: dict[str, int] = {}
        self._tags: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._keys) + len(self._tags)

    @property
    def everything(self) -> bool:
        """Whether nothing that Redis holds is to be believed."""
        return EVERYTHING in self._tags

    def add_key(self, key: str) -> None:
        """A delete or a write of this key did not arrive; it is sent as a delete."""
        self._add(self._keys, key)

    def add_tag(self, tag: str) -> None:
        """An invalidation of this tag did not arrive."""
        self._add(self._tags, tag)

    def holds_key(self, key: str) -> bool:
        """Whether what Redis holds under this key is older than a change that waits here."""
        return key in self._keys or self.everything

    def holds_tag(self, tag: str) -> bool:
        """Whether an invalidation of this tag waits here."""
        return tag in self._tags or self.everything

    def discard(self, key: str) -> None:
        """A later write or delete of this key has reached Redis."""
        self._keys.pop(key, None)

    async def replay(self, target: Target) -> None:
        """Send what waits; what did not arrive, or was added meanwhile, stays. Raises what the target raises."""
        for tags in _chunks(self._tags):
            await asyncio.gather(*(self._renew(target, tag, number) for tag, number in tags.items()))
        for keys in _chunks(self._keys):
            await target.delete(list(keys))
            _remove(self._keys, keys)

    def stats(self) -> OutboxStats:
        """How much waits now."""
        return OutboxStats(len(self._keys), len(self._tags), self.everything)

    async def _renew(self, target: Target, tag: str, number: int) -> None:
        await target.renew_tag(tag)
        _remove(self._tags, {tag: number})

    def _add(self, waiting: dict[str, int], name: str) -> None:
        self._number += 1
        waiting[name] = self._number
        if len(self._keys) + len(self._tags) > self._max_items:
            self._keys.clear()
            self._tags.clear()
            self._tags[EVERYTHING] = self._number


def _chunks(waiting: dict[str, int]) -> Iterator[dict[str, int]]:
    """What waits at the beginning, in pieces; what is added meanwhile is left for the next replay."""
    items = iter(list(waiting.items()))
    while chunk := dict(islice(items, CHUNK)):
        yield chunk


def _remove(waiting: dict[str, int], sent: dict[str, int]) -> None:
    for name, number in sent.items():
        if waiting.get(name) == number:
            del waiting[name]
