"""RedisTier on a Redis in trouble: each trouble is a clear DependencyError, nothing hangs, and it works again by itself."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.cache.entry import Stored
from core.cache.redis_tier import RedisTier
from core.errors import DependencyDown, DependencyError, DependencyTimeout
from tests.cache.redis_server import RedisServer
from tests.servers import Servers

SHORT = 0.1  # As in production: what a read may cost.
PATIENT = 5.0


def make(value: Any = 1, version: int = 7) -> Stored:
    """A value of a version."""
    return Stored(value=value, stored_at=1_795_000_000.0, expires_at=1_795_000_300.0, version=version)


@asynccontextmanager
async def opened(url: str, timeout_seconds: float = PATIENT, **options: Any) -> AsyncIterator[RedisTier]:
    """A tier on any URL; a test that hangs is cut off."""
    async with asyncio.timeout(30):
        tier = RedisTier(url, timeout_seconds, **{"connect_timeout_seconds": PATIENT} | options)
        try:
            yield tier
        finally:
            await tier.close()


@pytest.fixture
def server(servers: Servers) -> Iterator[RedisServer]:
    """A Redis that this test may break."""
    with RedisServer(servers.folder) as server:
        yield server


async def everything(tier: RedisTier) -> list[BaseException | Any]:
    """What each command answers, all of them asked at once."""
    return await asyncio.gather(
        tier.get("lead:1"), tier.get("lead:2"), tier.get_many(["lead:1"]), tier.write("lead:1", make(), 60),
        tier.claim("lead:1", 1, 1), tier.fill("lead:1", make(), 60, 1), tier.delete(["lead:1"]), tier.generations(["leads"]),
        tier.renew_tag("leads"), tier.scan(), tier.scan_all(), tier.describe(["lead:1"]), tier.gain("r"),
        tier.add_gain("r", 1, 1), tier.time(), tier.ping(), tier.stats(), return_exceptions=True,
    )  # fmt: skip


async def test_a_killed_redis_is_down_and_then_up_again(server):
    """Every command says so at once; a restarted empty one serves the same tier, scripts included."""
    async with opened(server.url) as tier:
        await tier.write("lead:1", make("old"), 60)
        old = await tier.generations(["leads"])
        server.kill()

        answers = await everything(tier)
        assert {type(answer) for answer in answers} == {DependencyDown}
        assert all(answer.next_step for answer in answers)

        server.start()
        assert await tier.get("lead:1") is None
        await tier.write("lead:1", make("new"), 60)
        assert (await tier.get("lead:1")).value == "new"
        assert await tier.generations(["leads"]) != old


async def test_a_restart_between_two_commands_is_not_noticed(server):
    """Connections that died while they slept are made again; no caller sees an error."""
    async with opened(server.url) as tier:
        await asyncio.gather(*(tier.get_many([f"lead:{number}"]) for number in range(5)))
        server.restart()

        answers = await asyncio.gather(*(tier.get_many([f"lead:{number}"]) for number in range(5)))
        assert answers == [{}] * 5


async def test_a_connection_that_breaks_on_the_way_is_tried_once_more(answering):
    """A read on a connection that was used before gets a new one; what must not count twice, and a new connection, do not."""
    empty = b"*1\r\n$-1\r\n"
    flaky = answering(empty, 1)
    async with opened(f"redis://127.0.0.1:{flaky.port}") as tier:
        assert await tier.get("lead:1") is None
        assert await tier.get("lead:1") is None
        assert flaky.connections == 2
        with pytest.raises(DependencyDown):
            await tier.add_gain("run", 1, 1)
        assert flaky.connections == 2

    broken = answering(empty, 0)
    async with opened(f"redis://127.0.0.1:{broken.port}") as tier:
        with pytest.raises(DependencyDown):
            await tier.get("lead:1")
        assert broken.connections == 1


async def test_a_stopped_redis_is_a_timeout_and_leaves_no_reply_behind(server):
    """Nothing hangs; after it goes on, every key answers its own value, not that of a question asked before."""
    async with opened(server.url, SHORT, connect_timeout_seconds=0.3) as tier:
        for number in range(8):
            await tier.write(f"lead:{number}", make(number), 60)
        server.pause()
        try:
            answers = await everything(tier)
            assert {type(answer) for answer in answers} == {DependencyTimeout}
            answers = await asyncio.gather(*(tier.get_many(["lead:0"]) for _ in range(60)), return_exceptions=True)
            assert {type(answer) for answer in answers} == {DependencyTimeout}
        finally:
            server.resume()
    async with opened(server.url) as tier:
        # A pool that is slow to recover would answer late or wrongly.
        assert [(await tier.get(f"lead:{number}")).value for number in range(2, 8)] == list(range(2, 8))


async def test_the_same_tier_recovers_from_timeouts(server, tcp_proxy):
    """Late replies belong to connections that are gone."""
    proxy = tcp_proxy(server.socket)
    async with opened(f"redis://127.0.0.1:{proxy.port}", 0.3) as tier:
        await asyncio.gather(*(tier.write(f"lead:{number}", make(number), 60) for number in range(20)))
        proxy.pause()
        for _ in range(2):
            answers = await asyncio.gather(*(tier.get_many([f"lead:{number}"]) for number in range(20)), return_exceptions=True)
            assert {type(answer) for answer in answers} == {DependencyTimeout}
        assert (await tier.get_many([])) == {}
        proxy.restore()

        await _until_it_answers(tier)
        found = await asyncio.gather(*(tier.get_many([f"lead:{number}"]) for number in range(20)))
        assert [answer[f"lead:{number}"].value for number, answer in enumerate(found)] == list(range(20))


@pytest.mark.parametrize(
    "misbehave", [lambda proxy: proxy.delay(1.0), lambda proxy: proxy.trickle(2_000)], ids=["late", "slow"]
)
async def test_a_slow_network_is_a_timeout(server, tcp_proxy, misbehave):
    """Replies that are late, and large ones that trickle in, end at the deadline."""
    proxy = tcp_proxy(server.socket)
    async with opened(f"redis://127.0.0.1:{proxy.port}", 0.3, connect_timeout_seconds=0.3) as tier:
        await tier.write("lead:1", make("x" * 1_000), 60)
        misbehave(proxy)
        with pytest.raises(DependencyTimeout):
            await tier.get("lead:1")


async def test_nobody_listening_is_down(tmp_path):
    """A wrong port and a missing socket."""
    for url in ("redis://127.0.0.1:9", f"unix://{tmp_path}/nobody.sock"):
        async with opened(url) as tier:
            assert {type(answer) for answer in await everything(tier)} == {DependencyDown}


async def test_a_full_redis_refuses_writes_and_serves_reads(server):
    """The operator is told to raise maxmemory; what is there is read."""
    async with opened(server.url) as tier:
        await tier.write("lead:1", make("x"), 60)
        with server.client() as client:
            client.config_set("maxmemory", 1)

        for write in (tier.write("lead:2", make(), 60), tier.claim("lead:2", 1, 1), tier.renew_tag("leads")):
            with pytest.raises(DependencyError, match="Redis is full") as caught:
                await write
            assert "maxmemory" in caught.value.next_step
        assert (await tier.get("lead:1")).value == "x"
        assert await tier.delete(["lead:1"]) == 1


async def test_a_read_only_replica_refuses_writes_and_serves_reads(server):
    """The operator is told to name the primary; a replica that serves nothing is down."""
    async with opened(server.url) as tier:
        await tier.write("lead:1", make("x"), 60)
        with server.client() as client:
            client.replicaof("127.0.0.1", "9")
            for write in (tier.write("lead:2", make(), 60), tier.claim("lead:2", 1, 1), tier.delete(["lead:1"])):
                with pytest.raises(DependencyError, match="read-only replica") as caught:
                    await write
                assert "primary" in caught.value.next_step
            assert (await tier.get("lead:1")).value == "x"

            client.config_set("replica-serve-stale-data", "no")
            with pytest.raises(DependencyDown, match="lost its primary"):
                await tier.get("lead:1")


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:secret@"])
async def test_a_wrong_password_says_so(servers, login):
    """Every command names REDIS_URL, and the password is in no message."""
    with RedisServer(servers.folder, "--requirepass", "secret") as server:
        url = server.url.replace("unix://", f"unix://{login}")
        async with opened(url) as tier:
            for answer in await everything(tier):
                assert isinstance(answer, DependencyDown)
                assert "password" in str(answer)
                assert "REDIS_URL" in answer.next_step
                assert "secret" not in str(answer)
        async with opened(server.url.replace("unix://", "unix://:secret@")) as tier:
            assert await tier.get("lead:1") is None


@pytest.mark.parametrize(
    ("line", "kind", "step"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", DependencyDown, "Wait"),
        (b"-ERR max number of clients reached\r\n", DependencyDown, "maxclients"),
        (b"-MISCONF Redis is configured to save RDB snapshots, but is unable to persist to disk.\r\n", DependencyError, "disk"),
        (b"-ERR unknown command\r\n", DependencyError, "message"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", DependencyError, ""),
    ],
    ids=["loading", "clients", "misconf", "unknown", "no redis"],
)
async def test_what_redis_may_refuse_is_explained(answering, line, kind, step):
    """Refusals that are hard to bring about, as they come over the wire."""
    port = answering(line).port
    async with opened(f"redis://127.0.0.1:{port}", SHORT) as tier:
        with pytest.raises(kind) as caught:
            await tier.get("lead:1")
        assert step in caught.value.next_step
        with pytest.raises(DependencyError):
            await tier.write("lead:1", make(), 60)


class Answering(socketserver.ThreadingTCPServer):
    """Answers every command with the same line, and breaks each connection after so many of them."""

    daemon_threads = True

    def __init__(self, line: bytes, answers: int) -> None:
        super().__init__(("127.0.0.1", 0), self._serve)
        self.port, self.connections = self.server_address[1], 0
        self._line, self._answers = line, answers
        threading.Thread(target=self.serve_forever, args=(0.02,), name="answering", daemon=True).start()

    def _serve(self, request: socket.socket, *_: object) -> None:
        self.connections += 1
        for _ in range(self._answers):
            if request.recv(65_536):
                request.sendall(self._line)
        request.recv(65_536)


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    """Makes servers that answer the same line to whatever they are sent."""
    running: list[Answering] = []

    def start(line: bytes, answers: int = 1_000) -> Answering:
        running.append(Answering(line, answers))
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


async def test_closing_ends_what_is_under_way(server):
    """Whoever waits is told, and nobody is served afterwards."""
    async with opened(server.url) as tier:
        await tier.get("lead:1")
        server.pause()
        try:
            waiting = [asyncio.ensure_future(tier.get(f"lead:{number}")) for number in range(3)]
            for _ in range(5):
                await asyncio.sleep(0)
            await tier.close()
            answers = await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            server.resume()
        assert {type(answer) for answer in answers} == {DependencyDown}
        with pytest.raises(DependencyDown, match="closed"):
            await tier.get("lead:1")


async def _until_it_answers(tier: RedisTier) -> None:
    """The proxy's threads may take a moment; the tier's own connections are then made again by itself."""
    while True:
        try:
            await tier.ping()
        except DependencyError:
            continue
        return
