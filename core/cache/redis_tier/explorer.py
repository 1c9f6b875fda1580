"""KeyExplorer: what lies in Redis, told without reading any value.

Owns pages of keys by SCAN, with GETRANGE, STRLEN and PTTL for each: no KEYS, no MEMORY, no CONFIG. It has no command that
writes, so keys of others are safe here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.cache.redis_tier.connections import Command
from core.cache.redis_tier.envelope import HEAD_BYTES, decode_head
from core.cache.redis_tier.failures import is_refused_right, translated
from core.cache.redis_tier.keys import Keys
from core.errors import EnvelopeError

ROUNDS = 50  # Of SCAN for one page: where few keys fit, a page ends early rather than hold the server.
MOST_COUNT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """One key of ours; times are of Redis' clock, in seconds since the epoch."""

    key: str
    ttl_seconds: float | None  # None: it never expires.
    size_bytes: int  # As it lies in Redis, packed.
    codec: str  # bytes, json, absent, each also with " zstd"; poisoned or newer when it cannot be read.
    version: int = 0
    stored_at: float | None = None
    expires_at: float | None = None  # The logical end; Redis keeps it longer, for when the loader fails.
    load_seconds: float = 0.0
    priority: str = ""
    run: str = ""
    generations: tuple[tuple[str, int], ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags by which it can be invalidated."""
        return tuple(tag for tag, _ in self.generations)


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys found, and where the next page begins; 0 = there is none. A key that stays is on one page at least, maybe on two."""

    cursor: int
    keys: tuple[KeyInfo, ...]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One key of anybody; `type` is empty where the user may not ask."""

    name: str
    type: str
    ttl_seconds: float | None
    ours: bool


@dataclass(frozen=True, slots=True)
class ForeignPage:
    """The same for keys of anybody."""

    cursor: int
    keys: tuple[ForeignKey, ...]


class KeyExplorer:
    """Reads only; `look` runs commands in one round trip and returns the replies, errors among them."""

    def __init__(self, look: Callable[[Sequence[Command]], Awaitable[list[Any]]], keys: Keys) -> None:
        self._look = look
        self._keys = keys

    async def describe(self, keys: Sequence[str]) -> dict[str, KeyInfo]:
        """What is known of these keys; only those that are there."""
        unique = list(dict.fromkeys(keys))
        commands: list[Command] = []
        for name in map(self._keys.value, unique):
            commands += (("GETRANGE", name, 0, HEAD_BYTES - 1), ("STRLEN", name), ("PTTL", name))
        replies = await self._look(commands) if commands else []
        found = (_info(key, *three) for key, three in zip(unique, zip(*[iter(replies)] * 3, strict=True), strict=True))
        return {info.key: info for info in found if info is not None}

    async def scan(self, prefix_of_key: str, cursor: int, count: int) -> KeyPage:
        """A page of keys that start so."""
        cursor, names = await self._scan(self._keys.values_of(prefix_of_key), cursor, count)
        # A name that is no UTF-8 is none of ours: what is left of it is not found.
        described = await self.describe([self._keys.key_of(name.decode(errors="ignore")) for name in names])
        return KeyPage(cursor, tuple(described.values()))

    async def scan_all(self, pattern: str, cursor: int, count: int) -> ForeignPage:
        """A page of all keys that fit the pattern."""
        cursor, names = await self._scan(pattern, cursor, count)
        commands: list[Command] = []
        for name in names:
            commands += (("TYPE", name), ("PTTL", name))
        replies = await self._look(commands) if commands else []
        keys = []
        for name, (kind, ttl_ms) in zip(names, zip(*[iter(replies)] * 2, strict=True), strict=True):
            if ttl_ms == -2:
                continue
            asked = not (is_refused_right(kind) or is_refused_right(ttl_ms))
            shown = name.decode(errors="backslashreplace")
            ours = self._keys.owns(shown)
            keys.append(ForeignKey(shown, kind.decode() if asked else "", _seconds(ttl_ms) if asked else None, ours))
        return ForeignPage(cursor, tuple(keys))

    async def _scan(self, pattern: str, cursor: int, count: int) -> tuple[int, list[bytes]]:
        count = max(1, min(count, MOST_COUNT))
        names: dict[bytes, None] = {}
        for _ in range(ROUNDS):
            reply = (await self._look([("SCAN", cursor, "MATCH", pattern, "COUNT", count)]))[0]
            if isinstance(reply, Exception):
                raise translated(reply) from reply
            cursor = int(reply[0])
            names |= dict.fromkeys(reply[1])
            if not cursor or len(names) >= count:
                break
        return cursor, list(names)


def _info(key: str, head: Any, size_bytes: Any, ttl_ms: Any) -> KeyInfo | None:
    if ttl_ms == -2:
        return None
    if isinstance(head, Exception):  # A list or a hash of somebody else lies where our value would.
        return KeyInfo(key=key, ttl_seconds=_seconds(ttl_ms), size_bytes=0, codec="poisoned")
    ttl_seconds, size = _seconds(ttl_ms), int(size_bytes)
    try:
        read = decode_head(head)
    except EnvelopeError as error:
        return KeyInfo(key=key, ttl_seconds=ttl_seconds, size_bytes=size, codec=error.kind)
    return KeyInfo(
        key=key, ttl_seconds=ttl_seconds, size_bytes=size, codec=read.codec, version=read.version, stored_at=read.stored_at,
        expires_at=read.expires_at, load_seconds=read.load_seconds, priority=read.priority, run=read.run,
        generations=read.generations,
    )  # fmt: skip


def _seconds(ttl_ms: Any) -> float | None:
    return None if isinstance(ttl_ms, Exception) or ttl_ms < 0 else ttl_ms / 1000
