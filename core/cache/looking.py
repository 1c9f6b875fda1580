"""Looking: what Redis holds of keys, and whether it may be believed; what is asked in one turn of the loop is one round trip.

Owns the verdict on a value that Redis holds: fresh, old, invalidated or absent. Counts the hits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from core.cache.batching import Batcher
from core.cache.entry import ABSENT, Stored
from core.cache.guard import Guard
from core.cache.insight import Insight
from core.cache.read import Reason
from core.cache.recent import RecentChanges
from core.cache.redis_tier import RedisTier
from core.cache.shelving import Shelving
from core.cache.tags import Tags
from core.cache.values import hold
from core.errors import DependencyError


class Look(NamedTuple):
    """What Redis has of a key: a fresh value, or the reason why none and perhaps an old one."""

    fresh: Stored | None = None
    old: Stored | None = None
    reason: Reason = ""


AWAY, INVALIDATED = Look(reason="error"), Look(reason="invalidated")


class Looking:
    """Bound to one event loop."""

    def __init__(
        self, redis: RedisTier, guard: Guard, shelving: Shelving, tags: Tags, recent: RecentChanges, insight: Insight
    ) -> None:
        self._redis = redis
        self._guard = guard
        self._shelving = shelving
        self._tags = tags
        self._recent = recent
        self._insight = insight
        self._batcher: Batcher[str] = Batcher("cache looks", self._turn)
        self.one = self._batcher.submit

    async def close(self) -> None:
        """End what is under way."""
        await self._batcher.close()

    async def many(self, keys: Sequence[str]) -> dict[str, Look]:
        """What Redis has of each key, in their order; raises nothing."""
        started, mark = time.monotonic(), self._recent.mark()
        try:
            stored = await self._guard.run(self._redis.get_many(keys))
            valid = await self._tags.valid_ones(stored)
        except DependencyError:
            return dict.fromkeys(keys, AWAY)
        shelving = self._shelving
        offer, believed, now = shelving.offer, shelving.believed, shelving.now()
        looks: dict[str, Look] = {}
        hits: list[tuple[str, Stored]] = []
        for key in keys:
            item = stored.get(key)
            if item is None:
                looks[key] = Look(reason=self._insight.absence(key))
            elif key not in valid or not believed(key, item):
                looks[key] = INVALIDATED
            elif item.expires_at <= now:
                looks[key] = Look(None, item, "expired")
            else:
                looks[key] = Look(item)
                hits.append((key, item))
                offer(key, item, mark)
        if hits:
            self._insight.found_in_redis(hits, time.monotonic() - started)
        return looks

    async def _turn(self, keys: list[str]) -> list[Look]:
        looks = await self.many(list(dict.fromkeys(keys)))
        if len(looks) == len(keys):
            return list(looks.values())
        given: set[str] = set()
        answers = []
        for key in keys:
            look = looks[key]
            answers.append(_of_its_own(look) if key in given else look)
            given.add(key)
        return answers


def _of_its_own(look: Look) -> Look:
    """The same look for a second reader, who may change the value that he gets."""
    if look.fresh is None or look.fresh.value is ABSENT:
        return look
    stored = look.fresh
    return Look(
        Stored(
            value=hold(stored.value).value,
            stored_at=stored.stored_at,
            expires_at=stored.expires_at,
            version=stored.version,
            generations=stored.generations,
            load_seconds=stored.load_seconds,
            priority=stored.priority,
            run=stored.run,
        )
    )
