"""Connections: a bounded pool of redis-py's connections, and one exchange of commands and replies over one of them.

Owns the limits: how many connections, how long an answer may take, one retry on a connection that was broken. redis-py's own
pool and client cost as much CPU as the rest of a read; and `asyncio.wait_for`, under which they write, may swallow a
cancellation before Python 3.12. So their timeouts are off and one deadline stands around the exchange.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

Command = tuple[Any, ...]  # Of str, bytes, int and float.

_NOT_BROKEN = (AuthenticationError, BusyLoadingError)  # Answers, although they are ConnectionErrors.
# Limits of redis-py's own pool, which a URL may name and which are not ours.
_POOL_OPTIONS = ("max_connections", "timeout")


class Connections:
    """Bound to one event loop; connections are made when they are needed."""

    def __init__(self, url: str, *, connect_timeout_seconds: float, most: int) -> None:
        options: dict[str, Any] = {**parse_url(url)}
        for name in _POOL_OPTIONS:
            options.pop(name, None)
        self._class: type[AbstractConnection] = options.pop("connection_class", Connection)
        # After those of the URL: what is promised here must hold whatever it says. driver_info would send CLIENT SETINFO.
        self._options = options | {
            "protocol": 2, "decode_responses": False, "socket_timeout": None, "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": connect_timeout_seconds, "retry_on_timeout": False, "health_check_interval": 0,
            "driver_info": None,
        }  # fmt: skip
        self._connect_timeout_seconds = connect_timeout_seconds
        self._most = most
        self._made = 0
        self._idle: list[AbstractConnection] = []
        self._waiting: deque[asyncio.Future[AbstractConnection]] = deque()
        self._closed = False
        self.round_trips = 0
        self.retries = 0

    def client(self) -> Redis:
        """A client of its own with the same options and one connection more; its user closes it and sets its own deadlines."""
        return Redis.from_pool(ConnectionPool(connection_class=self._class, **self._options))

    async def close(self) -> None:
        """Close those that are idle, and the others when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect()

    async def exchange(self, commands: Sequence[Command], timeout_seconds: float, *, retry: bool = True) -> list[Any]:
        """The replies in order; one that Redis refused is a ResponseError in its place.

        Raises TimeoutError, OSError or RedisError when there is no answer. A new connection has its own time on top.
        """
        packed = b"".join([pack_command(command) for command in commands])
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_seconds) as limit:
            connection = await self._take()
            try:
                while True:
                    used = await self._is_usable(connection)
                    if not used:
                        limit.reschedule(loop.time() + self._connect_timeout_seconds)
                        await connection.connect()  # type: ignore[no-untyped-call]
                        limit.reschedule(loop.time() + timeout_seconds)
                    try:
                        return await self._converse(connection, packed, len(commands))
                    except (OSError, RedisConnectionError) as error:
                        if not (used and retry) or isinstance(error, _NOT_BROKEN):
                            raise
                    await connection.disconnect(nowait=True)
                    self.retries += 1
            except BaseException:
                # A reply may still be on its way: whoever came next would take it for its own.
                await connection.disconnect(nowait=True)
                raise
            finally:
                if self._closed:
                    await connection.disconnect(nowait=True)
                self._give_back(connection)

    async def _converse(self, connection: AbstractConnection, packed: bytes, count: int) -> list[Any]:
        self.round_trips += 1
        await connection.send_packed_command(packed, check_health=False)
        replies: list[Any] = []
        for _ in range(count):
            try:
                replies.append(await connection.read_response())
            except ResponseError as refused:
                replies.append(refused)
        return replies

    async def _is_usable(self, connection: AbstractConnection) -> bool:
        """Whether it is connected and silent; one that the server closed meanwhile is closed here too."""
        if not connection.is_connected:
            return False
        if await connection.can_read():
            await connection.disconnect(nowait=True)
            return False
        return True

    async def _take(self) -> AbstractConnection:
        if self._closed:
            raise RedisConnectionError("The cache's connections are closed.")
        if self._idle:
            return self._idle.pop()  # The last one used: the others fall asleep when there is little to do.
        if self._made < self._most:
            self._made += 1
            return self._class(**self._options)
        waiter: asyncio.Future[AbstractConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._give_back(waiter.result())
            raise

    def _give_back(self, connection: AbstractConnection) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)
