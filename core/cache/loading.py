"""Loading: one load of one key, from the lease to the stored value.

Owns the lease across processes, the hard timeout, and the rule that what was loaded before a change is not stored after it.
An error is never stored.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from core.cache.coherence.recent import RecentChanges
from core.cache.entry import ABSENT, Entry, Stored
from core.cache.guard import Guard
from core.cache.policy import CachePolicy, Priority, life_seconds
from core.cache.redis_tier import RedisTier
from core.cache.shelving import Shelving
from core.cache.tags import Tags, own_tags, tags_of
from core.errors import CacheLoadError, DependencyError, DependencyTimeout
from core.tasks import end_tasks

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.005, 0.1  # Between two looks at another process' load.
RENEWALS_PER_LEASE = 3
MAX_NUMBER = (1 << 63) - 1


def new_number() -> int:
    """A version, a generation or a token: random, never 0."""
    return 1 + secrets.randbelow(MAX_NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How one key is loaded and how long its value lives."""

    call: Callable[[], Awaitable[Any]]
    ttl_seconds: float
    negative_ttl_seconds: float
    priority: Priority = "normal"
    tags: tuple[str, ...] = ()
    paid: bool = False
    run: str = ""
    in_memory: bool = True
    timeout_seconds: float | None = None  # None: the policy's hard timeout.


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load brought; `by_loader` is False when another process had loaded it meanwhile."""

    entry: Entry
    by_loader: bool
    stored: bool


class Loading:
    """Runs loads; bound to one event loop."""

    def __init__(
        self, redis: RedisTier, guard: Guard, shelving: Shelving, tags: Tags, recent: RecentChanges, policy: CachePolicy
    ) -> None:
        self._redis = redis
        self._guard = guard
        self._shelving = shelving
        self._tags = tags
        self._recent = recent
        self._policy = policy

    async def run(self, key: str, load: Load, *, refresh: bool = False, alone: bool = False) -> Loaded | None:
        """Load a key, or take what another process loaded; None: it is being refreshed by another process.

        `alone`: Redis has just failed to answer, so it is not asked again.
        """
        mark, token = self._recent.mark(), new_number()
        if alone:
            return await self._alone(key, load, mark)
        try:
            generations = await self._tags.generations(tags_of(key, load.tags))
            claimed = await self._claim(key, token, self._timeout_seconds(load), refresh=refresh)
        except DependencyError:
            return await self._alone(key, load, mark)
        if isinstance(claimed, Stored):
            entry = self._shelving.entry(key, claimed, own_tags(claimed))
            if load.in_memory:
                self._shelving.put(entry, mark)
            return Loaded(entry, False, True)
        if refresh and not claimed:
            return None
        try:
            stored, entry = await self._value(key, load, token if claimed else 0, generations)
        except BaseException:
            if claimed:
                await self._release(key, token)
            raise
        accepted = await self._fill(key, stored, token) if claimed else False
        return self._finish(entry, load, mark, accepted)

    async def _alone(self, key: str, load: Load, mark: int) -> Loaded:
        _, entry = await self._value(key, load, 0, ())
        return self._finish(entry, load, mark, None)

    async def _value(self, key: str, load: Load, token: int, generations: tuple[tuple[str, int], ...]) -> tuple[Stored, Entry]:
        """What the loader answers, for both tiers; raises CacheTypeError before anything is stored."""
        value, seconds = await self._call(key, load, token)
        stored = self._stored(value, seconds, load, generations)
        return stored, self._shelving.entry(key, stored, load.tags)

    def _finish(self, entry: Entry, load: Load, mark: int, accepted: bool | None) -> Loaded:
        """`accepted` None: Redis could not be asked, so memory keeps the value for a moment only."""
        if accepted is None:
            self._shelving.shorten(entry)
        if accepted is not False and load.in_memory:
            self._shelving.put(entry, mark)
        return Loaded(entry, True, bool(accepted))

    def _stored(self, value: Any, seconds: float, load: Load, generations: tuple[tuple[str, int], ...]) -> Stored:
        ttl_seconds = load.negative_ttl_seconds if value is ABSENT else load.ttl_seconds
        now = self._shelving.now()
        return Stored(
            value=value,
            stored_at=now,
            expires_at=now + life_seconds(ttl_seconds, load.priority),
            version=new_number(),
            generations=generations,
            load_seconds=seconds,
            priority=load.priority,
            run=load.run,
        )

    def _timeout_seconds(self, load: Load) -> float:
        return load.timeout_seconds or self._policy.hard_timeout_seconds

    async def _claim(self, key: str, token: int, timeout_seconds: float, *, refresh: bool) -> Stored | bool:
        """The value that is there by now, or whether the load is ours; waits while another process loads."""
        deadline = time.monotonic() + timeout_seconds
        pause = FIRST_PAUSE_SECONDS
        lease = self._policy.lease_seconds
        while True:
            if refresh:
                return bool(await self._guard.run(self._redis.claim(key, token, lease, force=True)))
            answer = await self._guard.run(self._redis.claim(key, token, lease))
            if isinstance(answer, Stored):
                if await self._usable(key, answer):
                    return answer
                answer = await self._guard.run(self._redis.claim(key, token, lease, force=True))
                if answer is True and (renewed := await self._renewed(key)):
                    await self._release(key, token)
                    return renewed
            if answer or time.monotonic() > deadline:
                return bool(answer)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE_SECONDS)

    async def _renewed(self, key: str) -> Stored | None:
        """What another process stored between our look and our lease."""
        found = await self._guard.run(self._redis.get(key))
        return found if found is not None and await self._usable(key, found) else None

    async def _usable(self, key: str, stored: Stored) -> bool:
        return self._shelving.fresh(stored) and self._shelving.believed(key, stored) and await self._tags.valid(stored)

    async def _call(self, key: str, load: Load, token: int) -> tuple[Any, float]:
        """The loader's value and its seconds; renews the lease meanwhile."""
        started, timeout_seconds = time.monotonic(), self._timeout_seconds(load)
        deadline = started + timeout_seconds
        task = asyncio.ensure_future(load.call())
        try:
            while not task.done():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DependencyTimeout(
                        f"The load of {key[:80]} took longer than {timeout_seconds:g} s.",
                        "Look at what it reads; the next read tries again.",
                    )
                await asyncio.wait({task}, timeout=min(left, self._policy.lease_seconds / RENEWALS_PER_LEASE))
                if token and not task.done():
                    await self._renew(key, token)
        finally:
            await end_tasks([task])
        if task.cancelled():
            raise CacheLoadError(f"The load of {key[:80]} was cancelled from within.")
        return task.result(), time.monotonic() - started

    async def _fill(self, key: str, stored: Stored, token: int) -> bool | None:
        life = stored.expires_at - stored.stored_at + (0.0 if stored.value is ABSENT else self._policy.stale_seconds)
        try:
            return await self._guard.run(self._redis.fill(key, stored, life, token))
        except DependencyError:
            return None

    async def _renew(self, key: str, token: int) -> None:
        try:
            await self._guard.run(self._redis.renew(key, token, self._policy.lease_seconds))
        except DependencyError:
            return  # The fill finds out whether the lease is still there.

    async def _release(self, key: str, token: int) -> None:
        try:
            await self._guard.run(self._redis.release(key, token))
        except DependencyError:
            return  # It ends by itself.
