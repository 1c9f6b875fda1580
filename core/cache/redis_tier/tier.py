"""RedisTier: every command to Redis, and nothing but Redis.

Owns the commands and what their answers mean. Refuses to write outside its prefix, and to wait long or to retry what came too
late: a cache that is slower than the query it saves is of no use. Every failure is a DependencyError; one value that cannot be
read is absent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from secrets import randbelow
from typing import Any

from redis.asyncio import Redis

from core.cache.coherence.messages import key_message, tag_message
from core.cache.entry import Stored
from core.cache.redis_tier.commands import Call, Commands, checked
from core.cache.redis_tier.connections import Command, Connections
from core.cache.redis_tier.counters import SECTIONS, RedisCounters, counters
from core.cache.redis_tier.envelope import decode, encode
from core.cache.redis_tier.explorer import ForeignPage, KeyExplorer, KeyInfo, KeyPage
from core.cache.redis_tier.failures import is_refused_right
from core.cache.redis_tier.keys import Keys
from core.cache.redis_tier.scripts import CLAIM, DELETE, FILL, GAIN, MARK, RELEASE, RENEW, WRITE
from core.errors import EnvelopeError
from core.ports import Ping

MARKER = re.compile(rb"[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15}")  # A number from 1 to 2^63 - 1.
MARKER_LIFE_SECONDS = 30 * 86_400  # Of a tag; one that expires is renewed, which only makes its values be loaded again.
GAIN_LIFE_SECONDS = 2 * 86_400


@dataclass(frozen=True, slots=True)
class RedisStats:
    """What Redis says of itself, and counters of this process; None: the user may not ask, and `note` says so."""

    used_bytes: int | None
    max_bytes: int | None  # 0: no limit.
    keys: int
    note: str = ""
    round_trips: int = 0
    commands: int = 0  # As callers see them: a batch of 100 gets is 100.
    retries: int = 0
    poisoned: int = 0  # Reads of values that are not ours or are damaged,
    newer: int = 0  # and of those that a newer version wrote.
    too_large: int = 0  # Values that were not stored.
    policy: str = ""  # What it evicts when it is full; empty: the user may not ask.


@dataclass(frozen=True, slots=True)
class Gain:
    """What a warm run has brought: reads served by its entries, and the loader's time that they saved."""

    reads: float
    saved_seconds: float


class RedisTier:
    """One Redis, reached by redis://, rediss:// or unix://; bound to one event loop."""

    def __init__(
        self,
        url: str,
        timeout_seconds: float,
        *,
        prefix: str = "core:",
        connect_timeout_seconds: float | None = None,
        max_connections: int = 16,
    ) -> None:
        """`timeout_seconds` for one round trip of a read or a write; the other for a connection, a ping, and what explores."""
        self.keys = Keys(prefix)
        self._patience_seconds = connect_timeout_seconds or timeout_seconds
        self._connections = Connections(url, connect_timeout_seconds=self._patience_seconds, most=max_connections)
        self._commands = Commands(self._connections, timeout_seconds)
        self._read, self._value = self._commands.read, self.keys.value  # Looked up once: they are on the path of each get.
        self._explorer = KeyExplorer(self._look, self.keys)
        self._version = ""
        self._unreadable = {"poisoned": 0, "newer": 0, "too_large": 0}

    @property
    def channel(self) -> str:
        """Where changes of keys and tags are published."""
        return self.keys.channel

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        """End what is under way and close every connection."""
        await self._commands.close()
        await self._connections.close()

    # Reading.

    async def get(self, key: str) -> Stored | None:
        """The value, fresh or stale; None when there is none that can be read. Gets of one turn of the loop are one MGET."""
        data = await self._read(self._value(key))
        if data is None:
            return None
        return self._decoded(data if isinstance(data, bytes) else checked(data))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Stored]:
        """The values that are there."""
        unique = dict.fromkeys(keys)
        replies = await self._commands.read_many(self.keys.values(unique))
        found: dict[str, Stored] = {}
        try:
            for key, data in zip(unique, replies, strict=True):
                if data is not None:
                    found[key] = decode(data)
        except EnvelopeError:
            return self._readable(zip(unique, replies, strict=True))
        return found

    # Writing.

    async def write(self, key: str, stored: Stored, life_seconds: float) -> None:
        """Store whatever is there, end a load that is under way, tell everybody. Raises EnvelopeError for what is too large."""
        message = key_message(key, stored.version)
        await self._commands.run(WRITE, self._pair(key), encode(stored), _ms(life_seconds), self.channel, message)

    async def claim(self, key: str, token: int, lease_seconds: float, *, force: bool = False) -> Stored | bool:
        """The value if one is there, else whether the lease is now ours; `force` asks for the lease in any case."""
        answer = await self._commands.run(CLAIM, self._pair(key), token, _ms(lease_seconds), int(force))
        if not isinstance(answer, bytes):
            return bool(answer)
        stored = self._decoded(answer)
        # What cannot be read counts as absent, so it must not keep the key from being loaded.
        return stored if stored is not None else await self.claim(key, token, lease_seconds, force=True)

    async def fill(self, key: str, stored: Stored, life_seconds: float, token: int) -> bool:
        """Store while the lease is still ours; False when it is not, a newer version's value is there, or it is too large."""
        try:
            data = encode(stored)
        except EnvelopeError as error:
            self._unreadable[error.kind] += 1
            await self.release(key, token)
            return False
        message = key_message(key, stored.version)
        return bool(await self._commands.run(FILL, self._pair(key), data, _ms(life_seconds), self.channel, message, token))

    async def renew(self, key: str, token: int, lease_seconds: float) -> bool:
        """Prolong the lease; False when it is no longer ours."""
        return bool(await self._commands.run(RENEW, (self.keys.lease(key),), token, _ms(lease_seconds)))

    async def release(self, key: str, token: int) -> None:
        """Give the lease back, if it is ours."""
        await self._commands.run(RELEASE, (self.keys.lease(key),), token)

    async def delete(self, keys: Iterable[str]) -> int:
        """Remove values and leases and tell everybody; how many values there were."""
        calls: list[Call] = [(self._pair(key), (self.channel, key_message(key, 0))) for key in dict.fromkeys(keys)]
        return sum(await self._commands.run_many(DELETE, calls))

    # Tags.

    async def generations(self, tags: Iterable[str]) -> dict[str, int]:
        """The generation of each tag; one that is lost gets a new one, which everybody is told."""
        unique = list(dict.fromkeys(tags))
        markers = await self._commands.read_many([self.keys.tag(tag) for tag in unique])
        known = {tag: number for tag, data in zip(unique, markers, strict=True) if (number := _number(data))}
        lost = [tag for tag in unique if tag not in known]
        return known | dict(zip(lost, await self._mark(lost, replace=False), strict=True)) if lost else known

    async def renew_tag(self, tag: str) -> int:
        """Give the tag a new generation and tell everybody: all values that carry it are invalid."""
        return (await self._mark([tag], replace=True))[0]

    async def _mark(self, tags: Sequence[str], *, replace: bool) -> list[int]:
        calls: list[Call] = []
        for tag in tags:
            number = 1 + randbelow(2**63 - 1)
            arguments = (f"{number:x}", _ms(MARKER_LIFE_SECONDS), self.channel, tag_message(tag, number), int(replace))
            calls.append(((self.keys.tag(tag),), arguments))
        return [int(answer, 16) for answer in await self._commands.run_many(MARK, calls)]

    # The gain of warm runs.

    async def add_gain(self, run: str, reads: float, saved_seconds: float) -> None:
        """Add to what a run has brought; it is kept for two days."""
        # Never twice: a broken connection does not tell whether it was counted.
        call = ((self.keys.gain(run),), (reads, saved_seconds, _ms(GAIN_LIFE_SECONDS)))
        await self._commands.run_many(GAIN, [call], retry=False)

    async def gain(self, run: str) -> Gain:
        """What a run has brought until now."""
        reads, saved = await self._commands.ask("HMGET", self.keys.gain(run), "reads", "saved_seconds")
        return Gain(float(reads or 0), float(saved or 0))

    # Looking.

    async def describe(self, keys: Sequence[str]) -> dict[str, KeyInfo]:
        """What is known of these keys without reading their values; only those that are there."""
        return await self._explorer.describe(keys)

    async def scan(self, prefix_of_key: str = "", cursor: int = 0, count: int = 100) -> KeyPage:
        """A page of our keys that start so; the next page begins at its cursor, and 0 is the end."""
        return await self._explorer.scan(prefix_of_key, cursor, count)

    async def scan_all(self, pattern: str = "*", cursor: int = 0, count: int = 100) -> ForeignPage:
        """A page of all keys of this database that fit the pattern, ours or not; reads only."""
        return await self._explorer.scan_all(pattern, cursor, count)

    async def time(self) -> float:
        """Redis' clock, in seconds since the epoch."""
        seconds, microseconds = await self._commands.ask("TIME")
        return int(seconds) + int(microseconds) / 1e6

    def pubsub_client(self) -> Redis:
        """A client of its own, RESP2 and without a timeout of reads; its user closes it."""
        return self._connections.client()

    async def ping(self) -> Ping:
        """One round trip; raises DependencyDown or DependencyTimeout."""
        if not self._version:  # Asked before the clock starts: the first command also pays for the connection.
            answer = (await self._look([("INFO", "server")]))[0]
            self._version = "unknown" if is_refused_right(answer) else _facts(checked(answer)).get("redis_version", "unknown")
        started = time.perf_counter()
        checked((await self._look([("PING",)]))[0])
        return Ping(time.perf_counter() - started, self._version)

    async def stats(self) -> RedisStats:
        """Memory and keys now, and the counters; raises as `ping` does."""
        memory, keyspace, size = await self._look([("INFO", "memory"), ("INFO", "keyspace"), ("DBSIZE",)])
        refused = is_refused_right(memory)
        facts = {} if refused else _facts(checked(memory))
        databases = {} if refused else _facts(checked(keyspace))
        keys = sum(int(line.partition("keys=")[2].partition(",")[0]) for line in databases.values())
        return RedisStats(
            int(facts["used_memory"]) if facts else None,
            int(facts["maxmemory"]) if facts else None,
            int(checked(size)) if refused else keys,
            "the user may not run INFO" if refused else "",
            self._connections.round_trips,
            self._commands.count,
            self._connections.retries,
            **self._unreadable,
            policy=facts.get("maxmemory_policy", ""),
        )

    async def counters(self) -> RedisCounters | None:
        """How far the counters of the whole server stand; None: the user may not ask. Raises as `ping` does."""
        replies = await self._look([("INFO", section) for section in SECTIONS])
        if any(is_refused_right(reply) for reply in replies):
            return None
        return counters(_facts(b"\r\n".join(checked(reply) for reply in replies)))

    def _pair(self, key: str) -> tuple[str, str]:
        return self.keys.value(key), self.keys.lease(key)

    def _decoded(self, data: bytes) -> Stored | None:
        try:
            return decode(data)
        except EnvelopeError as error:
            self._unreadable[error.kind] += 1
            return None

    def _readable(self, replies: Iterable[tuple[str, bytes | None]]) -> dict[str, Stored]:
        """Those that can be read; the others are counted."""
        return {key: stored for key, data in replies if data is not None and (stored := self._decoded(data)) is not None}

    async def _look(self, commands: Sequence[Command]) -> list[Any]:
        """With the patience of somebody who looks at a page, not that of a read."""
        return await self._commands.exchange(commands, self._patience_seconds)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _number(data: bytes | None) -> int:
    """The generation in a marker; 0 when it is lost or damaged."""
    return int(data, 16) if data and MARKER.fullmatch(data) else 0


def _facts(text: bytes) -> dict[str, str]:
    """The lines of INFO."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, separator, value in lines if separator}
