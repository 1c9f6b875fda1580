"""CacheOperations: what an operator does to the cache, each remembered with who did it and what it ran.

Owns the asking for permission and confirmation. Refuses to act where the platform is only watched, and while it cannot be
remembered: the lines to copy do the same without the console.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.cache.families import split
from core.cache.parts import CacheParts
from core.cache.redis_tier.command_lines import CommandLines
from core.cache.tags import EVERYTHING, family_tag
from core.cache.tiered import TieredCache
from core.errors import TargetError, UsageError
from core.operations import Operation, OperationRequest, Operations, run_short
from core.settings import Settings

KIND = "cache"
TAG_MOST_CHARACTERS = 200
What = Literal["tag", "family", "everything"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is invalidated; `name` is empty for everything."""

    what: What
    name: str = ""

    @property
    def tag(self) -> str:
        """The tag that every value concerned carries."""
        return {"tag": self.name, "family": family_tag(self.name), "everything": EVERYTHING}[self.what]

    @property
    def word(self) -> str:
        """What is typed to confirm it."""
        return self.name or "everything"

    @property
    def title(self) -> str:
        """In words."""
        return "everything" if self.what == "everything" else f"{self.what} {self.name}"


class CacheOperations:
    """Bound to the cache's loop."""

    def __init__(
        self, settings: Settings, parts: CacheParts, cache: TieredCache, operations: Operations, lines: CommandLines
    ) -> None:
        self._settings, self._parts, self._cache = settings, parts, cache
        self._operations, self._lines = operations, lines

    def refusal(self) -> str:
        """Why nothing may be changed in this Redis; empty when it may."""
        if self._settings.redis_embedded or self._settings.effective_mode == "operate":
            return ""
        return "This Redis is only watched (MODE=watch): nothing is changed there."

    async def delete(self, key: str, *, operator: str) -> Operation:
        """Remove one key from both tiers of every process; raises TargetError, UsageError, OperationError, DependencyError."""
        split(key)
        return await self._run(f"Delete {key}", f"delete:{key}", operator, self.delete_commands(key), lambda: self._delete(key))

    async def refresh(self, key: str, *, operator: str) -> Operation:
        """Load one key anew in both tiers; raises what `delete` raises, and the loader's error as OperationError."""
        family, _ = self._cache.families.of(key)
        commands = self.refresh_commands(key)
        return await self._run(f"Refresh {key}", f"refresh:{family.name}:{key}", operator, commands, lambda: self._refresh(key))

    async def invalidate(self, scope: Scope, *, typed: str, operator: str) -> Operation:
        """Remove all that carries a tag, is of a family, or is there; `typed` must be the scope's word."""
        if typed.strip() != scope.word:
            raise TargetError(f"The {scope.title} was not invalidated.", f"Type {scope.word} to confirm it.")
        if not 0 < len(scope.tag) <= TAG_MOST_CHARACTERS or (scope.what == "tag" and scope.tag.startswith(EVERYTHING)):
            raise UsageError("This is no tag of the cache.", "Choose a tag as it stands at a key.")
        commands, title = self.invalidate_commands(scope), f"Invalidate {scope.title}"
        return await self._run(title, f"invalidate:{scope.tag}", operator, commands, lambda: self._invalidate(scope))

    async def use_redis(self, use: bool, *, operator: str) -> Operation:
        """Keep this process' cache away from Redis, or let it decide again by itself."""
        breaker = self._parts.guard.breaker
        title = "Use Redis again" if use else "Keep the cache away from Redis"

        async def work() -> Mapping[str, Any]:
            if use:
                breaker.automatic(operator)
            else:
                breaker.open(operator, "kept away by hand")
            return {"breaker": breaker.state}

        commands = (f"circuit breaker redis: {'automatic' if use else 'open'}, in this process only; Redis is not asked",)
        return await self._run(title, "redis", operator, commands, work)

    def delete_commands(self, key: str) -> tuple[str, ...]:
        """The lines that do what `delete` does."""
        return self._lines.delete(key)

    def refresh_commands(self, key: str) -> tuple[str, ...]:
        """What `refresh` runs."""
        return self._lines.refresh(key)

    def invalidate_commands(self, scope: Scope) -> tuple[str, ...]:
        """The lines that do what `invalidate` does."""
        return self._lines.renew_tag(scope.tag)

    async def _delete(self, key: str) -> Mapping[str, Any]:
        await self._cache.delete(key)
        return {"key": key, "waits_for_redis": self._parts.outbox.holds_key(key)}

    async def _refresh(self, key: str) -> Mapping[str, Any]:
        started = time.monotonic()
        await self._cache.refresh(key)
        return {"key": key, "seconds": round(time.monotonic() - started, 4)}

    async def _invalidate(self, scope: Scope) -> Mapping[str, Any]:
        await self._cache.invalidate(scope.tag)
        return {"tag": scope.tag, "waits_for_redis": self._parts.outbox.holds_tag(scope.tag)}

    async def _run(
        self, title: str, key: str, operator: str, commands: tuple[str, ...], act: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> Operation:
        """Do it as an operation, and return when it is over."""
        if refusal := self.refusal():
            raise TargetError(refusal, "Set MODE=operate and start again.")
        request = OperationRequest(kind=KIND, key=f"{KIND}:{key}", title=title, operator=operator, commands=commands)
        return await run_short(self._operations, request, act)
