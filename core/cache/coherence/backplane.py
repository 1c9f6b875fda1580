"""Backplane: through it processes learn what the others changed in the cache.

Owns one RESP2 connection that listens, one that sends heartbeats, and the knowledge of Redis' clock. Refuses to trust a
connection that is merely open: the link counts as found only while this process hears its own heartbeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.cache.coherence.messages import Heartbeat, KeyChanged, heartbeat_message, parse
from core.cache.coherence.redis_clock import RedisClock
from core.tasks import end_tasks

log = logging.getLogger(__name__)

RETRY_FIRST_SECONDS = 0.05
RETRY_MOST_SECONDS = 1.0
HEARD_SECONDS = 10.0  # A process that was not heard for so long is no longer counted.
IN_A_ROW = 200  # About 2 ms of messages; then other tasks of the loop have their turn.

LinkState = Literal["starting", "found", "lost", "closed"]


class Listener(Protocol):
    """Whoever holds copies; called on the loop, so every method is quick."""

    def key_changed(self, key: str, version: int) -> None:
        """The key is now this version; 0: it is gone."""
        ...

    def tag_changed(self, tag: str, generation: int) -> None:
        """The tag has a new generation."""
        ...

    def link_lost(self, reason: str) -> None:
        """Messages may have been missed, and will be until `link_found`."""
        ...

    def link_found(self) -> None:
        """From now on every message arrives."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackplaneStats:
    """The link as it is now; counters since it was opened."""

    state: LinkState
    since_seconds: float
    heartbeat_age_seconds: float | None  # Since this process last heard itself; None: never.
    echo_seconds: float | None  # From sending the last own heartbeat to hearing it.
    messages: int
    bad_messages: int
    listener_errors: int
    losses: int
    processes: int  # Heard in the last ten seconds, this one among them.
    clock_known: bool
    problem: str


class Backplane:
    """Listens on a channel, reconnects by itself, and tells its listener what happened.

    `connect` makes a client (RESP2, short timeouts, no retries) that is used for nothing else.
    """

    def __init__(
        self,
        connect: Callable[[], Redis],
        listener: Listener,
        *,
        channel: str,
        process_id: int,
        heartbeat_seconds: float = 1.0,
        lost_after_seconds: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._listener = listener
        self._channel = channel
        self._process_id = process_id
        self._heartbeat_seconds = heartbeat_seconds
        self._lost_after_seconds = lost_after_seconds
        self._clock = clock
        self._redis_clock = RedisClock(clock)
        self._client: Redis | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._beat_now = asyncio.Event()
        self._state: LinkState = "starting"
        self._since = clock()
        self._beats = 0
        self._sent: dict[int, float] = {}  # Number of each own heartbeat of the last seconds -> when it was sent.
        self._heard_at: float | None = None
        self._echo_seconds: float | None = None
        self._processes: dict[int, float] = {}
        self._messages = self._bad_messages = self._listener_errors = self._losses = 0
        self._link_problem = self._beat_problem = ""

    @property
    def found(self) -> bool:
        """Whether every message arrives."""
        return self._state == "found"

    @property
    def clock_known(self) -> bool:
        """Whether `now` is Redis' time; before its first answer it is this host's."""
        return self._redis_clock.known

    def now(self) -> float:
        """Seconds since the epoch by Redis' clock."""
        return self._redis_clock.now()

    async def open(self) -> None:
        """Start listening; waits for nothing."""
        self._client = self._connect()
        self._become("starting")
        self._beat_now = asyncio.Event()
        self._beat_now.set()
        self._tasks = [
            asyncio.create_task(self._keep_link(self._client), name="cache-backplane"),
            asyncio.create_task(self._keep_beating(self._client), name="cache-heartbeat"),
        ]

    async def close(self) -> None:
        """Stop listening; the listener is not told."""
        self._become("closed")
        await end_tasks(self._tasks)
        self._tasks = []
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def stats(self) -> BackplaneStats:
        """The link now; safe from any thread."""
        now, heard_at = self._clock(), self._heard_at
        return BackplaneStats(
            state=self._state,
            since_seconds=now - self._since,
            heartbeat_age_seconds=None if heard_at is None else now - heard_at,
            echo_seconds=self._echo_seconds,
            messages=self._messages,
            bad_messages=self._bad_messages,
            listener_errors=self._listener_errors,
            losses=self._losses,
            processes=sum(now - at <= HEARD_SECONDS for at in tuple(self._processes.values())),
            clock_known=self.clock_known,
            problem=self._link_problem or self._beat_problem,
        )

    async def _keep_link(self, client: Redis) -> None:
        pause_seconds = RETRY_FIRST_SECONDS
        while True:
            reason = await self._follow_until_lost(client)
            pause_seconds = RETRY_FIRST_SECONDS if self.found else min(pause_seconds * 2, RETRY_MOST_SECONDS)
            self._lose(reason)
            await asyncio.sleep(pause_seconds)

    async def _follow_until_lost(self, client: Redis) -> str:
        """Follow one connection to its end, and say why it ended."""
        try:
            await self._follow(client)
        except TimeoutError:
            cause = f": {self._beat_problem}" if self._beat_problem else ""
            return f"the own heartbeat was not heard for {self._lost_after_seconds:g} s{cause}"
        except (OSError, RedisError) as error:
            return f"the connection broke: {error}"
        except Exception as error:
            log.exception("backplane_crashed")
            return f"the reader crashed: {error!r}"
        return "the reader ended"

    async def _follow(self, client: Redis) -> None:
        loop = asyncio.get_running_loop()
        link: Any = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self._lost_after_seconds) as deadline:
                await link.connect()
                await link.send_command("SUBSCRIBE", self._channel)
                while True:
                    # The deadline stands around all reads: only an own heartbeat moves it, other traffic proves nothing.
                    response = await link.read_response(disable_decoding=True, timeout=math.inf)
                    if self._take(response):
                        deadline.reschedule(loop.time() + self._lost_after_seconds)
                    elif self._messages % IN_A_ROW == 0:
                        await asyncio.sleep(0)
        finally:
            await link.disconnect(nowait=True)

    def _take(self, response: Any) -> bool:
        """Pass a message on; True for an own heartbeat."""
        if response[0] != b"message":
            self._beat_now.set()  # Subscribed: now this process should hear itself.
            return False
        self._messages += 1
        try:
            message = parse(response[2])
        except (ValueError, TypeError):
            self._bad_messages += 1
            return False
        if isinstance(message, KeyChanged):
            self._tell(self._listener.key_changed, message.key, message.version)
        elif isinstance(message, Heartbeat):
            return self._take_heartbeat(message)
        else:
            self._tell(self._listener.tag_changed, message.tag, message.generation)
        return False

    def _take_heartbeat(self, heartbeat: Heartbeat) -> bool:
        now = self._clock()
        self._processes[heartbeat.process_id] = now
        if heartbeat.process_id != self._process_id:
            return False
        self._processes = {process: at for process, at in self._processes.items() if now - at <= HEARD_SECONDS}
        sent_at = self._sent.get(heartbeat.number)
        if sent_at is None:  # From before: messages arrive, but too late.
            return False
        self._heard_at, self._echo_seconds = now, now - sent_at
        self._find()
        return True

    async def _keep_beating(self, client: Redis) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._beat_now.wait()
            self._beat_now.clear()
            try:
                async with asyncio.timeout(self._lost_after_seconds):
                    await self._beat(client)
            except (OSError, RedisError) as error:  # TimeoutError is an OSError.
                self._beat_problem = str(error) or type(error).__name__
            except Exception as error:
                log.exception("backplane_heartbeat_crashed")
                self._beat_problem = repr(error)

    async def _beat(self, client: Redis) -> None:
        """Send a heartbeat and ask Redis for the time, in one round trip."""
        self._beats += 1
        number = self._beats
        commands = client.pipeline(transaction=False)
        commands.publish(self._channel, heartbeat_message(self._process_id, number))
        commands.time()
        sent_at = self._clock()
        recent = {beat: at for beat, at in self._sent.items() if sent_at - at <= self._lost_after_seconds}
        self._sent = recent | {number: sent_at}
        answers = await commands.execute(raise_on_error=False)
        received_at = self._clock()
        self._beat_problem = "; ".join(str(answer) for answer in answers if isinstance(answer, Exception))
        if not isinstance(answers[1], Exception):
            seconds, microseconds = answers[1]
            self._redis_clock.sample(seconds + microseconds / 1e6, sent_at, received_at)

    def _find(self) -> None:
        if self._state in ("starting", "lost"):
            level = logging.INFO if self._state == "starting" else logging.WARNING
            log.log(level, "backplane_found channel=%s after_seconds=%.1f", self._channel, self._clock() - self._since)
            self._link_problem = ""
            self._become("found")
            self._tell(self._listener.link_found)

    def _lose(self, reason: str) -> None:
        self._link_problem = reason
        if self._state in ("starting", "found"):
            log.warning("backplane_lost channel=%s reason=%r", self._channel, reason)
            self._losses += self._state == "found"
            self._become("lost")
            self._tell(self._listener.link_lost, reason)

    def _become(self, state: LinkState) -> None:
        self._state, self._since = state, self._clock()

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:
            self._listener_errors += 1
            if self._listener_errors == 1:  # One traceback; a fault at every message would fill the log.
                log.exception("backplane_listener_failed")
