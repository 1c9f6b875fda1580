"""Health: what it says of servers that answer, fail, hang, die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from core.errors import DependencyDown, EmbeddedServerError
from core.health import Check, Health, ProcessState
from core.ports import Ping
from tests.support import wait_until_async


@dataclass
class Server:
    """A server of the test's own, embedded or not, that does as it is told."""

    answers: bool = True
    hangs: bool = False
    state: Literal["running", "paused", "gone"] = "running"
    pid: int | None = 1
    startable: bool = True
    starts: int = 0
    pings: list[float] = field(default_factory=list)

    async def ping(self) -> Ping:
        if self.hangs:
            await asyncio.Event().wait()
        if not self.answers:
            raise DependencyDown("refused")
        return Ping(0.001, "1.2")

    def ensure(self) -> str:
        self.starts += 1
        if self.state == "paused" or not self.startable:
            raise EmbeddedServerError("cannot start", "Mend it.")
        if self.state == "gone":
            self.state, self.answers = "running", True
        return "url"

    def process_state(self) -> ProcessState:
        return self


@asynccontextmanager
async def _watching(server: Server, *, embedded: bool = False) -> AsyncIterator[Health]:
    check = Check("it", "It", server, "somewhere", "Look at it.", server if embedded else None)
    health = Health([check], interval_seconds=0.01, timeout_seconds=0.05)
    await health.open()
    try:
        yield health
    finally:
        await health.close()


async def test_a_server_that_answers_is_up_with_version_and_latency() -> None:
    """Up since the first answer, with the samples of the sparkline."""
    async with _watching(Server()) as health:
        assert health.snapshot()[0].state == "starting"
        await health.wait_up("it")
        await wait_until_async(lambda: len(health.snapshot()[0].latencies_seconds) >= 3)

        status = health.snapshot()[0]
        assert (status.state, status.version, status.latencies_seconds[0], status.error) == ("up", "1.2", 0.001, "")


async def test_a_server_that_is_down_says_why_and_what_to_do() -> None:
    """The card carries the error and the check's next step."""
    async with _watching(Server(answers=False)) as health:
        await wait_until_async(lambda: health.snapshot()[0].state == "down")

        status = health.snapshot()[0]
        assert (status.error, status.next_step, status.latencies_seconds[-1]) == ("refused", "Look at it.", None)


async def test_a_server_that_hangs_is_down_after_the_timeout() -> None:
    """Nobody waits longer for a paused server than the timeout."""
    async with _watching(Server(hangs=True)) as health:
        await wait_until_async(lambda: health.snapshot()[0].state == "down")

        assert "0.05 s" in health.snapshot()[0].error


async def test_an_outage_that_is_over_is_remembered() -> None:
    """After the return the state is up since the return, and the outage is told with its length."""
    server = Server()
    async with _watching(server) as health:
        await health.wait_up("it")
        first_up = health.snapshot()[0].since
        server.answers = False
        await wait_until_async(lambda: health.snapshot()[0].state == "down")
        server.answers = True
        await wait_until_async(lambda: health.snapshot()[0].state == "up")

        status = health.snapshot()[0]
        assert status.since > first_up
        assert status.last_outage is not None
        assert (status.last_outage.error, status.last_outage.ended_at >= status.last_outage.started_at) == ("refused", True)


async def test_an_embedded_server_that_died_is_started_again() -> None:
    """A process that has ended is down, then up by the console's own doing."""
    server = Server()
    async with _watching(server, embedded=True) as health:
        await health.wait_up("it")
        server.state, server.answers = "gone", False
        await wait_until_async(lambda: health.snapshot()[0].last_outage is not None)

        assert health.snapshot()[0].state == "up"
        assert server.starts == 2


async def test_a_paused_process_is_down_although_its_connections_answer() -> None:
    """The process is asked before the connection, and the advice is the one that its owner gives."""
    server = Server()
    async with _watching(server, embedded=True) as health:
        await health.wait_up("it")
        server.state = "paused"
        await wait_until_async(lambda: health.snapshot()[0].next_step == "Mend it.")

        assert health.snapshot()[0].state == "down"


async def test_one_that_hangs_delays_no_other() -> None:
    """Each dependency is watched by a task of its own."""
    checks = [Check("a", "A", Server(hangs=True), "x", "y"), Check("b", "B", Server(), "x", "y")]
    health = Health(checks, interval_seconds=0.01, timeout_seconds=30)
    await health.open()
    try:
        async with asyncio.timeout(5):
            await health.wait_up("b")
        assert health.snapshot()[0].state == "starting"
    finally:
        await health.close()
