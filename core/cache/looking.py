"""Looking: what Redis holds of keys, and whether it may be believed; what is asked in one turn of the loop is one round trip.

Owns the verdict on a value that Redis holds: fresh, old, invalidated or absent. Counts the hits.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from operator import attrgetter
from typing import NamedTuple

from core.cache.coherence.recent import RecentChanges
from core.cache.entry import ABSENT, Stored
from core.cache.guard import Guard
from core.cache.insight import Insight
from core.cache.read import Reason
from core.cache.redis_tier import RedisTier
from core.cache.redis_tier.batching import Batcher
from core.cache.shelving import Shelving
from core.cache.tags import Tags
from core.cache.values import hold
from core.errors import DependencyError


class Missing(NamedTuple):
    """Why Redis has no fresh value of a key, and perhaps an old one."""

    reason: Reason
    old: Stored | None = None


_EXPIRES_AT = attrgetter("expires_at")
AWAY, INVALIDATED = Missing("error"), Missing("invalidated")


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
        self.one: Callable[[str], Awaitable[Stored | Missing]] = self._batcher.submit

    async def close(self) -> None:
        """End what is under way."""
        await self._batcher.close()

    async def many(self, keys: Collection[str]) -> tuple[dict[str, Stored], dict[str, Missing]]:
        """The fresh values, absences among them, and why each of the other keys has none; raises nothing."""
        started, mark = time.monotonic(), self._recent.mark()
        try:
            stored = await self._guard.run(self._redis.get_many(keys))
            invalid = await self._tags.invalid_ones(stored)
        except DependencyError:
            return {}, dict.fromkeys(keys, AWAY)
        missing: dict[str, Missing] = {}
        invalid |= self._shelving.doubtful(stored)
        for key in invalid:
            del stored[key]
            missing[key] = INVALIDATED
        now = self._shelving.now()
        if stored and min(map(_EXPIRES_AT, stored.values())) <= now:
            for key in [key for key, item in stored.items() if item.expires_at <= now]:
                missing[key] = Missing("expired", stored.pop(key))
        if len(stored) < len(keys):
            for key in keys:
                if key not in stored and key not in missing:
                    missing[key] = Missing(self._insight.absence(key))
        if stored:
            self._shelving.offer(stored, mark)
            self._insight.found_in_redis(stored, time.monotonic() - started)
        return stored, missing

    async def _turn(self, keys: list[str]) -> list[Stored | Missing]:
        wanted = dict.fromkeys(keys)
        fresh, missing = await self.many(wanted)
        if len(wanted) == len(keys):
            return [fresh.get(key) or missing[key] for key in keys]
        given: set[str] = set()
        answers: list[Stored | Missing] = []
        for key in keys:
            answer = fresh.get(key) or missing[key]
            answers.append(_of_its_own(answer) if key in given else answer)
            given.add(key)
        return answers


def _of_its_own(answer: Stored | Missing) -> Stored | Missing:
    """The same for a second reader, who may change the value that he gets."""
    if isinstance(answer, Missing) or answer.value is ABSENT:
        return answer
    return answer._replace(value=hold(answer.value).value)
