"""Commands: how they travel to Redis: many of one turn of the loop together, in chunks, scripts by their hash.

Owns the translation of failures: what leaves here is an answer or a DependencyError.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from core.cache.redis_tier.batching import Batcher
from core.cache.redis_tier.connections import Command, Connections
from core.cache.redis_tier.failures import translated
from core.cache.redis_tier.scripts import Script

CHUNK = 500  # Keys or commands of one round trip: about a millisecond of the server's one thread.

Call = tuple[Sequence[str], Command]  # The keys of a script, and its arguments.


class Commands:
    """Bound to one event loop."""

    def __init__(self, connections: Connections, timeout_seconds: float) -> None:
        self._connections = connections
        self._timeout_seconds = timeout_seconds
        reads: Batcher[str] = Batcher("redis-reads", self._read)
        self._reads = reads
        # What a name holds, None also where that is no string, or the error; reads of one turn of the loop are one MGET.
        self.read: Callable[[str], Awaitable[bytes | Exception | None]] = reads.submit
        self._asks: Batcher[Command] = Batcher("redis-commands", self._run)
        self.count = 0

    async def close(self) -> None:
        """End what is under way."""
        await self._reads.close()
        await self._asks.close()

    async def read_many(self, names: Sequence[str]) -> list[bytes | None]:
        """The same for many."""
        replies: list[bytes | None] = []
        try:
            for start in range(0, len(names), CHUNK):
                replies += await self._mget(names[start : start + CHUNK])
        except (OSError, RedisError) as error:
            raise translated(error) from error
        return replies

    async def ask(self, *command: Any) -> Any:
        """The answer to one command; those of one turn of the loop are one pipeline."""
        return checked(await self._asks.submit(command))

    async def run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """The answer of a script; those of one turn of the loop are one pipeline."""
        reply = await self._asks.submit(("EVALSHA", script.sha, len(keys), *keys, *arguments))
        if isinstance(reply, NoScriptError):  # Redis was started anew.
            reply = await self._asks.submit(("EVAL", script.text, len(keys), *keys, *arguments))
        return checked(reply)

    async def run_many(self, script: Script, calls: Sequence[Call], *, retry: bool = True) -> list[Any]:
        """The answers of many calls of one script; without `retry` none is ever run twice."""
        replies: list[Any] = []
        try:
            for start in range(0, len(calls), CHUNK):
                replies += await self._run_chunk(script, calls[start : start + CHUNK], retry=retry)
        except (OSError, RedisError) as error:
            raise translated(error) from error
        return [checked(reply) for reply in replies]

    async def exchange(self, commands: Sequence[Command], timeout_seconds: float) -> list[Any]:
        """The replies as they came, errors among them, in one round trip with a time of its own."""
        try:
            return await self._connections.exchange(commands, timeout_seconds)
        except (OSError, RedisError) as error:
            raise translated(error) from error

    async def _read(self, names: list[str]) -> list[bytes | None]:
        """For the batcher: one reply for each name, though a name that is asked for twice is read once."""
        unique = list(dict.fromkeys(names))
        if len(unique) == len(names) <= CHUNK:
            return await self._mget(names)
        found: dict[str, bytes | None] = {}
        for start in range(0, len(unique), CHUNK):
            chunk = unique[start : start + CHUNK]
            found.update(zip(chunk, await self._mget(chunk), strict=True))
        return [found[name] for name in names]

    async def _mget(self, names: Sequence[str]) -> list[bytes | None]:
        self.count += len(names)
        # MGET for one name too: GET is refused where the name holds no string.
        reply: Any = (await self._connections.exchange([("MGET", *names)], self._timeout_seconds))[0]
        if isinstance(reply, RedisError):
            raise reply
        return reply  # type: ignore[no-any-return]

    async def _run(self, commands: list[Command]) -> list[Any]:
        """For the batcher: the commands of one turn of the loop, as a pipeline."""
        self.count += len(commands)
        replies: list[Any] = []
        for start in range(0, len(commands), CHUNK):
            replies += await self._connections.exchange(commands[start : start + CHUNK], self._timeout_seconds)
        return replies

    async def _run_chunk(self, script: Script, calls: Sequence[Call], *, retry: bool) -> list[Any]:
        self.count += len(calls)
        seconds = self._timeout_seconds
        by_hash: list[Command] = [("EVALSHA", script.sha, len(keys), *keys, *arguments) for keys, arguments in calls]
        replies = await self._connections.exchange(by_hash, seconds, retry=retry)
        forgotten = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if forgotten:
            by_text: list[Command] = [
                ("EVAL", script.text, len(calls[at][0]), *calls[at][0], *calls[at][1]) for at in forgotten
            ]
            for at, reply in zip(forgotten, await self._connections.exchange(by_text, seconds, retry=retry), strict=True):
                replies[at] = reply
        return replies


def checked(reply: Any) -> Any:
    """The reply, or the DependencyError of what stands in its place."""
    if isinstance(reply, Exception):
        raise translated(reply) from reply
    return reply
