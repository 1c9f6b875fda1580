"""The Protocols through which siblings see each other: each names only what its user needs.

Owns no behaviour. cache, database, claude and monitor never import one another; `core.services` hands each the other's part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Ping:
    """One answered ping: round trip in seconds, and the server's version as it names itself."""

    latency_seconds: float
    version: str


class Pingable(Protocol):
    """A service that can say whether its server answers."""

    async def ping(self) -> Ping:
        """Ask the server once; raises DependencyError when it does not answer."""
        ...


class Rows(Protocol):
    """What a service needs of a database: named queries answered as rows that are read by column name."""

    async def fetch_all(self, sql_or_name: str, *args: object, filters: Mapping[str, object] | None = None) -> Sequence[Any]:
        """All rows of a named query or a statement."""
        ...

    async def fetch_one(self, sql_or_name: str, *args: object) -> Any | None:
        """The first row, or None."""
        ...

    async def fetch_value(self, sql_or_name: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        ...

    async def execute(self, sql_or_name: str, *args: object) -> str:
        """Run a statement and return PostgreSQL's command tag, such as 'INSERT 0 1'."""
        ...


class Handle(Protocol):
    """One series of one metric, bound once and recorded to often."""

    def record(self, value: float, /) -> None:
        """Add one value; durations are in seconds."""
        ...


class Record(Protocol):
    """Where a service records what it does; every call costs about an append and raises nothing."""

    def handle(self, metric: str, labels: tuple[str, ...] = ()) -> Handle:
        """The series of `metric` with these label values, in the metric's declared order."""
        ...

    def record(self, metric: str, value: float, labels: tuple[str, ...] = ()) -> None:
        """Add one value to a distribution."""
        ...

    def count(self, metric: str, amount: int = 1, labels: tuple[str, ...] = ()) -> None:
        """Add to a counter."""
        ...

    def gauge(self, metric: str, value: float, labels: tuple[str, ...] = ()) -> None:
        """Set what a gauge shows now."""
        ...


class Progress(Protocol):
    """Where work that takes long says how far it is."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` rows or keys of `what`; total 0 means unknown."""
        ...


class Read(Protocol):
    """One read of a cache: the value, how it came about, and its age in seconds."""

    @property
    def value(self) -> Any:
        """What was found or loaded."""
        ...

    @property
    def outcome(self) -> str:
        """hit, negative, miss, stale or error."""
        ...

    @property
    def tier(self) -> str:
        """Where the value came from: memory, redis, loader or none."""
        ...

    @property
    def reason(self) -> str:
        """Why it was no hit: cold, expired, evicted, invalidated, error, slow; or empty."""
        ...

    @property
    def age_seconds(self) -> float:
        """Seconds since the value was stored."""
        ...


class ReadThrough(Protocol):
    """What a service needs of a cache that loads what it does not hold, each key once however many ask."""

    async def read(self, key: str, loader: Callable[[], Awaitable[Any]] | None = None, **how: Any) -> Read:
        """The value of a key, from the cache or the loader; the loader's error is raised to all who wait."""
        ...

    async def set(self, key: str, value: Any, ttl_seconds: float = 300, *, tags: tuple[str, ...] = ()) -> None:
        """Put a value in place of the one that is there; an outage is no error."""
        ...
