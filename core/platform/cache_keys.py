"""CacheKeys: the keys of the cache, one page or one key at a time, and how many an invalidation would touch.

Owns what is read for a person: bounded pages, a bounded value. Refuses to change anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.cache.entry import ABSENT, Entry
from core.cache.families import Families, family_of
from core.cache.memory_tier.index import cost_bytes
from core.cache.parts import CacheParts
from core.cache.redis_tier.command_lines import CommandLines
from core.cache.redis_tier.explorer import ForeignPage, KeyInfo, KeyPage
from core.cache.tags import EVERYTHING, family_tag, own_tags
from core.platform.panel import Panel, within

PAGE_KEYS = 50
VALUE_MOST_BYTES = 256 * 1024  # As it lies in Redis; a larger one is not fetched for a person.
TEXT_MOST = 20_000
ESTIMATE_SECONDS, ESTIMATE_MOST_KEYS, ESTIMATE_COUNT = 1.5, 20_000, 500


@dataclass(frozen=True, slots=True)
class MemoryCopy:
    """What this process holds of a key."""

    size_bytes: int
    age_seconds: float
    fresh_seconds: float  # Negative: for so long it has been kept for a loader that fails.
    reads: int  # As S3-FIFO counts them, 0 to 3.


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDetail:
    """One key in both tiers. `valid` is whether no tag was invalidated since its load began; None: it cannot be told."""

    key: str
    name: str
    refreshable: bool
    info: KeyInfo | None
    memory: MemoryCopy | None
    fresh_seconds: float | None
    valid: bool | None
    tags: tuple[str, ...]
    text: str
    is_json: bool
    note: str = ""
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What an invalidation touches: valid keys in Redis (`complete`: all were seen), and what this process holds of them."""

    keys: int
    load_seconds: float
    complete: bool
    scanned: int
    memory_entries: int
    memory_bytes: int
    memory_share: float


class CacheKeys:
    """Reads only; bound to the cache's loop."""

    def __init__(self, parts: CacheParts, families: Families, lines: CommandLines, *, writes: bool) -> None:
        self._parts, self._families, self._lines, self._writes = parts, families, lines, writes

    async def page(self, prefix: str, cursor: int) -> Panel[KeyPage]:
        """A page of the cache's keys that start so."""
        return await within(self._parts.redis.scan(prefix, cursor, PAGE_KEYS))

    async def everybody(self, pattern: str, cursor: int) -> Panel[ForeignPage]:
        """A page of all keys of this Redis that fit the pattern."""
        return await within(self._parts.redis.scan_all(pattern or "*", cursor, PAGE_KEYS))

    async def detail(self, key: str) -> Panel[KeyDetail]:
        """One key with its value; while Redis is away, what memory holds of it."""
        panel = await within(self._detail(key, ask=True))
        if panel.value is not None:
            return panel
        held = (await within(self._detail(key, ask=False))).value
        return Panel(held, 0.0, panel.error, panel.next_step)

    async def reach(self, tag: str) -> Panel[Reach]:
        """How far an invalidation of this tag goes, `*` and `*:family` among them; looks at 20,000 keys at most."""
        return await within(self._reach(tag), ESTIMATE_SECONDS + 2.0)

    def now(self) -> float:
        """Redis' time in seconds since the epoch; safe from any thread."""
        return self._parts.now()

    def held_by(self, keys: Iterable[str]) -> dict[str, bool]:
        """Whether this process holds each key too."""
        return {key: self._parts.memory.find(key) is not None for key in keys}

    def page_commands(self, prefix: str, *, everybody: bool) -> tuple[str, ...]:
        """What a page runs."""
        return self._lines.scan_all(prefix or "*", PAGE_KEYS) if everybody else self._lines.scan(prefix, PAGE_KEYS)

    async def _detail(self, key: str, *, ask: bool) -> KeyDetail:
        parts, entry = self._parts, self._parts.memory.find(key)
        info = (await parts.redis.describe([key])).get(key) if ask else None
        small = info is not None and info.size_bytes <= VALUE_MOST_BYTES
        stored = await parts.redis.get(key) if small else None
        value = stored.value if stored is not None else entry.value if entry is not None else None
        text, is_json, note = _shown(value) if stored is not None or entry is not None else ("", False, _unseen(info))
        return KeyDetail(
            key=key,
            name=parts.redis.keys.value(key),
            refreshable=family_of(key) in self._families,
            info=info,
            memory=_copy(entry),
            fresh_seconds=info.expires_at - parts.now() if info is not None and info.expires_at else None,
            valid=await parts.tags.valid(stored) if stored is not None and self._writes else None,
            tags=own_tags(stored) if stored is not None else entry.tags if entry is not None else (),
            text=text,
            is_json=is_json,
            note=note,
            commands=self._lines.look(key),
        )

    async def _reach(self, tag: str) -> Reach:
        generation = (await self._parts.redis.generations([tag])).get(tag) if self._writes else None
        prefix = f"{tag.removeprefix(family_tag(''))}:" if tag.startswith(family_tag("")) else ""
        keys: dict[str, float] = {}
        cursor = scanned = 0
        deadline = time.monotonic() + ESTIMATE_SECONDS
        while True:
            page = await self._parts.redis.scan(prefix, cursor, ESTIMATE_COUNT)
            cursor, scanned = page.cursor, scanned + len(page.keys)
            keys |= {info.key: info.load_seconds for info in page.keys if _carries(info, tag, generation)}
            if not cursor or scanned >= ESTIMATE_MOST_KEYS or time.monotonic() > deadline:
                break
        entries, held = self._held(tag)
        size = self._parts.memory.stats().size_bytes
        return Reach(
            keys=len(keys), load_seconds=sum(keys.values()), complete=not cursor, scanned=scanned,
            memory_entries=entries, memory_bytes=held, memory_share=held / size if size else 0.0,
        )  # fmt: skip

    def _held(self, tag: str) -> tuple[int, int]:
        """Entries and bytes of this process' memory that carry the tag."""
        memory = self._parts.memory
        if tag == EVERYTHING or tag.startswith(family_tag("")):
            sizes = memory.family_sizes()
            chosen = [size for name, size in sizes.items() if tag in (EVERYTHING, family_tag(name))]
            return sum(size.entries for size in chosen), sum(size.size_bytes for size in chosen)
        entries = [entry for entry in list(memory.entries.values()) if tag in entry.tags]
        return len(entries), sum(cost_bytes(entry) for entry in entries)


def _carries(info: KeyInfo, tag: str, generation: int | None) -> bool:
    """Whether a value carries the tag, in the generation that is valid now where that is known."""
    return any(name == tag and generation in (None, number) for name, number in info.generations)


def _copy(entry: Entry | None) -> MemoryCopy | None:
    if entry is None:
        return None
    now = time.monotonic()
    return MemoryCopy(cost_bytes(entry), now - entry.stored_at, entry.expires_at - now, entry.frequency)


UNSEEN: Final = {
    "poisoned": "This is no value that the cache wrote; reads count it as absent. Delete removes it.",
    "newer": "A newer version of this console wrote it; this one leaves it alone.",
}


def _unseen(info: KeyInfo | None) -> str:
    if info is None:
        return "Neither Redis nor this process' memory holds this key."
    return UNSEEN.get(info.codec, f"The value has {info.size_bytes:,} bytes in Redis, too many to be shown.")


def _shown(value: Any) -> tuple[str, bool, str]:
    """The value as text, whether it is JSON, and what is left out."""
    if value is ABSENT:
        return "", False, "It is known that there is no such thing: reads are answered so without the loader."
    text, is_json = _as_text(value)
    if len(text) <= TEXT_MOST:
        return text, is_json, ""
    return text[:TEXT_MOST], is_json, f"The first {TEXT_MOST:,} of {len(text):,} characters."


def _as_text(value: Any) -> tuple[str, bool]:
    try:
        loaded = orjson.loads(value) if isinstance(value, bytes) else value
        return orjson.dumps(loaded, option=orjson.OPT_INDENT_2).decode(), True
    except (orjson.JSONDecodeError, TypeError):
        return (value.decode(errors="backslashreplace") if isinstance(value, bytes) else repr(value)), False
