"""WarmRun: one run over planned keys, from the first to its report.

Owns what is skipped, the loads under way and when a run gives up. Refuses to end for one key that cannot be loaded: that is
counted; it ends when too many in a row fail, or when a server is down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from core.cache.families import Families
from core.cache.policy import Priority, life_seconds
from core.cache.warming.pace import Pace
from core.cache.warming.plan_keys import REASONS_KEPT, PlannedKey, PlannedKeys
from core.cache.warming.plans import WarmPlan
from core.errors import BreakerOpen, DependencyDown, DependencyError, DependencyTimeout, WarmError
from core.ports import Progress
from core.tasks import end_tasks

CHUNK_KEYS = 100  # Asked for at once, just before they are loaded.
KEEP_SHARE = 0.5  # A value that still has half of its life is left as it is.
DOWN_IN_A_ROW, TIMED_OUT_IN_A_ROW, FAILED_IN_A_ROW = 3, 6, 20
NOT_STORED = "It changed while it was loaded, or Redis did not take it."


class Warmed(Protocol):
    """What warming one key did; no load and no life: another process loads it now."""

    @property
    def load_seconds(self) -> float:
        """How long the loader took."""
        ...

    @property
    def life_seconds(self) -> float:
        """How long the value lives."""
        ...

    @property
    def stored(self) -> bool:
        """Whether Redis took it."""
        ...

    @property
    def size_bytes(self) -> int:
        """How large the value is before it is packed."""
        ...


class Warmable(Protocol):
    """What a run needs of the cache."""

    @property
    def families(self) -> Families:
        """How each key is loaded."""
        ...

    async def warm(
        self, key: str, *, ttl_seconds: float | None = None, priority: Priority | None = None, run: str = ""
    ) -> Warmed:
        """Load a key and store it in Redis."""
        ...

    async def remaining_seconds(self, keys: Iterable[str]) -> dict[str, float]:
        """The life left of those keys that are in Redis; raises DependencyError."""
        ...


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a run has done so far; `elsewhere` were being loaded by another process."""

    loaded: int = 0
    already_warm: int = 0
    elsewhere: int = 0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    load_seconds: float = 0.0
    size_bytes: int = 0
    paused_seconds: float = 0.0
    least_life_seconds: float = 0.0

    @property
    def done(self) -> int:
        """Keys that are dealt with."""
        return self.loaded + self.already_warm + self.elsewhere + self.failed


def least_life(cache: Warmable, plan: WarmPlan, key: str) -> float:
    """The shortest life that a load of this key gives it now."""
    family, _ = cache.families.of(key)
    return life_seconds(plan.ttl_seconds or family.ttl_seconds, plan.priority or family.priority, lambda: 1.0)


def warm_enough(life: float, left: float, wanted_in_seconds: float) -> bool:
    """Whether a value with this life left need not be loaded again: half of its life, and to the hour that it can reach."""
    return left >= max(KEEP_SHARE * life, wanted_in_seconds if wanted_in_seconds <= life else 0.0)


class WarmRun:
    """Runs once; `hold` is awaited before each load and returns at once unless an operator holds the run."""

    def __init__(
        self,
        cache: Warmable,
        plan: WarmPlan,
        run: str,
        pace: Pace,
        progress: Progress,
        hold: Callable[[], Awaitable[None]],
        wanted_in_seconds: float = 0.0,
    ) -> None:
        self._cache, self._plan, self._run, self.pace = cache, plan, run, pace
        self._progress, self._hold = progress, hold
        self._wanted_at = time.monotonic() + wanted_in_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._elsewhere: list[PlannedKey] = []
        self._failures = self._unstored = 0  # In a row.
        self._error: Exception | None = None
        self.counts = Counts()

    async def run(self, planned: PlannedKeys) -> Counts:
        """Load what is not warm enough, at the end also what another process began and did not store.

        Raises DependencyError or WarmError when it gives up.
        """
        self._total = len(planned.keys)
        self._say()
        try:
            await self._load_all(planned.keys)
            if again := tuple(self._elsewhere):
                self._elsewhere.clear()
                self.counts.elsewhere = 0
                await self._load_all(again)
        finally:
            await end_tasks(self._tasks)
            for task in self._tasks:
                _error_of(task)
        if self.counts.failed and not self.counts.loaded + self.counts.already_warm:
            raise self._gives_up(f"none of the {self._total:,} keys could be loaded", self._error)
        return self.counts

    async def _load_all(self, keys: tuple[PlannedKey, ...]) -> None:
        async for key in self._wanted(keys):
            await self._held()
            await self._room(self.pace.concurrency)
            self._tasks.add(asyncio.create_task(self._load(key), name=f"warm-{self._plan.name}"))
        await self._room(1)

    async def _wanted(self, keys: tuple[PlannedKey, ...]) -> AsyncIterator[PlannedKey]:
        """The keys that are not warm enough, found out a chunk at a time just before they are loaded."""
        for start in range(0, len(keys), CHUNK_KEYS):
            chunk = keys[start : start + CHUNK_KEYS]
            try:
                left = await self._cache.remaining_seconds([item.key for item in chunk])
            except DependencyError as error:
                raise self._gives_up("Redis does not answer", error) from error
            wanted_in = max(0.0, self._wanted_at - time.monotonic())
            for item in chunk:
                life = least_life(self._cache, self._plan, item.key)
                if warm_enough(life, left.get(item.key, 0.0), wanted_in):
                    self.counts.already_warm += 1
                    self._say()
                else:
                    yield item

    async def _held(self) -> None:
        started = time.monotonic()
        await self._hold()
        self.counts.paused_seconds += time.monotonic() - started

    async def _room(self, most: int) -> None:
        """Wait until fewer than `most` loads are under way; raises what makes the run give up."""
        while True:
            done = {task for task in self._tasks if task.done()}
            self._tasks -= done
            errors = [_error_of(task) for task in done]
            if error := next((error for error in errors if error is not None), None):
                raise error
            if len(self._tasks) < most:
                return
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _load(self, planned: PlannedKey) -> None:
        plan = self._plan
        try:
            warmed = await self._cache.warm(planned.key, ttl_seconds=plan.ttl_seconds, priority=plan.priority, run=self._run)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one key is counted, and the run goes on
            self._failed(planned.key, error)
            return
        if not warmed.stored and not warmed.load_seconds:
            self.counts.elsewhere += 1
            self._elsewhere.append(planned)
        elif not warmed.stored:
            await self._not_stored(planned.key)
        else:
            self._loaded(planned, warmed)
        self._say()

    def _loaded(self, planned: PlannedKey, warmed: Warmed) -> None:
        counts = self.counts
        shortest = counts.least_life_seconds if counts.loaded else warmed.life_seconds
        counts.least_life_seconds = min(shortest, warmed.life_seconds)
        counts.loaded += 1
        counts.load_seconds += warmed.load_seconds
        counts.size_bytes += warmed.size_bytes
        self._failures = self._unstored = 0
        self.pace.loaded(planned.family, warmed.load_seconds)

    async def _not_stored(self, key: str) -> None:
        """A key may change while it is loaded; several in a row mean that Redis takes nothing."""
        self._count_failure(key, NOT_STORED)
        self._unstored += 1
        if self._unstored >= DOWN_IN_A_ROW:
            try:
                await self._cache.remaining_seconds([key])
            except DependencyError as error:
                raise self._gives_up("Redis does not answer", error) from error
        if self._unstored >= FAILED_IN_A_ROW:
            raise self._gives_up(f"Redis took none of the last {self._unstored} values", None)

    def _failed(self, key: str, error: Exception) -> None:
        self._error = error
        self._count_failure(key, str(error) or type(error).__name__)
        self._failures += 1
        self.pace.failed()
        self._say()
        if isinstance(error, DependencyDown | BreakerOpen) and self._failures >= DOWN_IN_A_ROW:
            raise self._gives_up("a server is down", error) from error
        most = TIMED_OUT_IN_A_ROW if isinstance(error, DependencyTimeout) else FAILED_IN_A_ROW
        if self._failures >= most:
            raise self._gives_up(f"{self._failures} keys in a row could not be loaded", error) from error

    def _count_failure(self, key: str, reason: str) -> None:
        self.counts.failed += 1
        if len(self.counts.reasons) < REASONS_KEPT:
            self.counts.reasons.append(f"{key[:100]}: {reason}")

    def _gives_up(self, why: str, error: Exception | None) -> DependencyError | WarmError:
        """The error that ends the run; one of a server stays an error of a server."""
        done, detail = self.counts.loaded + self.counts.already_warm, f" {error}" if error else ""
        message = f"Stopped with {done:,} of {self._total:,} keys warm: {why}.{detail}"
        if isinstance(error, DependencyError):
            return type(error)(message, error.next_step)
        return WarmError(message, getattr(error, "next_step", None))

    def _say(self) -> None:
        self._progress("keys", self.counts.done, self._total)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    """What a task that is done has raised; asked of each, since the first error ends the run and the rest are the same."""
    return None if task.cancelled() else task.exception()
