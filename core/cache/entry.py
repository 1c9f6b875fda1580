"""Entry: one value in memory with its times; Stored: one value as Redis holds it.

Owns no behaviour but the difference between fresh, stale and gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple


class Absent:
    """The type of ABSENT."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""What a loader returns, and what is stored, for a key that is known to have no value."""


MOST_FREQUENCY: Final = 3  # S3-FIFO's two bits.


@dataclass(slots=True, eq=False, kw_only=True)
class Entry:
    """One value in memory; times are of time.monotonic(), in seconds.

    A hit reads `value` (or `copy` of it) while `now < refresh_at`; until `expires_at` it is still fresh but due for a
    refresh; until `gone_at` it may be served when the loader fails.
    """

    key: str
    family: str
    value: Any
    copy: Callable[[Any], Any] | None  # Of `value`; None: it is immutable.
    refresh_at: float
    expires_at: float
    gone_at: float
    stored_at: float  # When the value was loaded or written.
    size_bytes: int
    version: int = 0
    tags: tuple[str, ...] = ()
    generations: tuple[tuple[str, int], ...] = ()  # Of its tags, and of those that every value carries.
    load_seconds: float = 0.0
    run: str = ""  # The warm run that stored it.
    frequency: int = 0  # Of S3-FIFO: up to MOST_FREQUENCY.
    in_main: bool = False


def copied(entry: Entry) -> Any:
    """The value for one reader, who may change it."""
    return entry.value if entry.copy is None else entry.copy(entry.value)


class Stored(NamedTuple):
    """One value as Redis holds it; times are of Redis' clock, in seconds since the epoch."""

    value: Any  # JSON, bytes, or ABSENT.
    stored_at: float
    expires_at: float
    version: int
    generations: tuple[tuple[str, int], ...] = ()  # Of each tag, when the load began.
    load_seconds: float = 0.0
    priority: str = "normal"
    run: str = ""
    size_bytes: int = 0  # Of the envelope; set when it was read.
