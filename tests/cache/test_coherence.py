"""Backplane: every message arrives or the listener is told that it may not."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from core.cache.coherence.backplane import Backplane
from core.cache.coherence.messages import heartbeat_message, key_message, tag_message
from tests.support import wait_until_async

OWN = 0xA11CE
SOON = {"heartbeat_seconds": 0.02, "lost_after_seconds": 0.3}
PATIENT = {"heartbeat_seconds": 0.02, "lost_after_seconds": 60.0}


class Ear:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.links: list[str] = []

    def key_changed(self, key: str, version: int) -> None:
        if key == "lead:fault":
            raise RuntimeError("a listener's own fault")
        self.heard.append((key, version))

    def tag_changed(self, tag: str, generation: int) -> None:
        self.heard.append((tag, generation))

    def link_lost(self, reason: str) -> None:
        self.links.append(reason)

    def link_found(self) -> None:
        self.links.append("found")


@pytest.fixture
def channel() -> str:
    """Channels are shared by all databases of a server, so each test has its own."""
    return f"test:{uuid.uuid4().hex}:bus"


@pytest.fixture
def server(redis_url) -> Iterator[BlockingRedis]:
    """A client of Redis itself."""
    with BlockingRedis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def proxy(redis_url, tcp_proxy):
    """Stands between the backplane and Redis."""
    return tcp_proxy(urlsplit(redis_url).path)


def connecting(url: str) -> Callable[[], Redis]:
    """A client as the backplane wants it."""
    return lambda: Redis.from_url(url, protocol=2, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0))


def through(proxy: Any) -> Callable[[], Redis]:
    """The same, by way of the proxy."""
    return connecting(f"redis://127.0.0.1:{proxy.port}/0")


@asynccontextmanager
async def opened(
    connect: Callable[[], Redis], channel: str, ear: Ear | None = None, **options: Any
) -> AsyncIterator[Backplane]:
    """An open backplane; found or not."""
    backplane = Backplane(connect, ear or Ear(), channel=channel, **{"process_id": OWN, **PATIENT, **options})
    await backplane.open()
    try:
        yield backplane
    finally:
        await backplane.close()


async def test_changes_reach_every_process(redis_url, channel, server) -> None:
    """Keys with their version, tags with their generation, in order; each process counts the others."""
    ears = (Ear(), Ear())
    async with (
        opened(connecting(redis_url), channel, ears[0]) as one,
        opened(connecting(redis_url), channel, ears[1], process_id=OWN + 1) as two,
    ):
        await wait_until_async(lambda: one.stats().processes == two.stats().processes == 2)
        server.publish(channel, key_message("lead:7", 0xFACE))
        server.publish(channel, key_message("lead:7", 0))
        server.publish(channel, tag_message("market:austin", 12))
        await wait_until_async(lambda: all(len(ear.heard) == 3 for ear in ears))
    assert ears[0].heard == ears[1].heard == [("lead:7", 0xFACE), ("lead:7", 0), ("market:austin", 12)]


async def test_it_is_found_when_it_hears_itself(redis_url, channel) -> None:
    """Once, with the time that the heartbeat took."""
    ear = Ear()
    async with opened(connecting(redis_url), channel, ear) as backplane:
        assert (backplane.stats().state, backplane.stats().heartbeat_age_seconds) == ("starting", None)
        await wait_until_async(lambda: backplane.stats().messages >= 5)
        stats = backplane.stats()
    assert ear.links == ["found"]
    assert (stats.state, stats.losses, stats.processes, stats.bad_messages, stats.problem) == ("found", 0, 1, 0, "")
    assert 0 < stats.echo_seconds < 60
    assert backplane.stats().state == "closed"


async def test_it_knows_the_time_of_redis(redis_url, channel, server) -> None:
    """A monotonic clock that starts anywhere; before the first answer the host's time serves."""
    async with opened(connecting(redis_url), channel, clock=lambda: time.monotonic() + 1e6) as backplane:
        assert (backplane.clock_known, backplane.now()) == (False, pytest.approx(time.time(), abs=60))
        await wait_until_async(lambda: backplane.clock_known)
        seconds, microseconds = server.time()
        assert backplane.now() == pytest.approx(seconds + microseconds / 1e6, abs=5)


async def test_a_silent_link_is_lost(proxy, channel, server) -> None:
    """The connection stays open and nothing comes: only the missing heartbeat tells. It is found again by itself."""
    ear = Ear()
    async with opened(through(proxy), channel, ear, **SOON) as backplane:
        await wait_until_async(lambda: backplane.found)
        proxy.pause()
        await wait_until_async(lambda: not backplane.found)
        assert ear.links[-1].startswith("the own heartbeat was not heard for 0.3 s")
        proxy.restore()
        await wait_until_async(lambda: backplane.found)
        server.publish(channel, key_message("lead:7", 5))
        await wait_until_async(lambda: ("lead:7", 5) in ear.heard)
        assert backplane.stats().losses >= 1


async def test_a_broken_link_is_lost_at_once(proxy, channel, server) -> None:
    """Without waiting for a heartbeat; while it is down one loss is told, not one for each try."""
    ear = Ear()
    async with opened(through(proxy), channel, ear) as backplane:
        await wait_until_async(lambda: backplane.found)
        proxy.cut()
        await wait_until_async(lambda: not backplane.found)
        await wait_until_async(lambda: "refused" in backplane.stats().problem.lower())
        assert ear.links[0] == "found"
        assert ear.links[1].startswith("the connection broke")
        assert len(ear.links) == 2
        proxy.restore()
        await wait_until_async(lambda: backplane.found)
        server.publish(channel, key_message("lead:7", 5))
        await wait_until_async(lambda: ear.heard == [("lead:7", 5)])
        assert (ear.links[2:], backplane.stats().losses, backplane.stats().problem) == (["found"], 1, "")


async def test_open_waits_for_no_server(proxy, channel) -> None:
    """Redis that is not there yet is lost, which is no loss, and found when it comes."""
    proxy.cut()
    ear = Ear()
    async with opened(through(proxy), channel, ear) as backplane:
        await wait_until_async(lambda: backplane.stats().state == "lost")
        assert (backplane.stats().losses, backplane.clock_known) == (0, False)
        proxy.restore()
        await wait_until_async(lambda: backplane.found)
    assert [ear.links[0].split(":")[0], *ear.links[1:]] == ["the connection broke", "found"]


async def test_rubbish_and_faults_of_the_listener_end_nothing(redis_url, channel, server) -> None:
    """Both are counted, and the next message is heard."""
    ear = Ear()
    async with opened(connecting(redis_url), channel, ear) as backplane:
        await wait_until_async(lambda: backplane.found)
        for rubbish in (b"", b"hello", b"k:zz:lead:7", b"h:1:\xff"):
            server.publish(channel, rubbish)
        server.publish(channel, key_message("lead:fault", 1))
        server.publish(channel, key_message("lead:7", 5))
        await wait_until_async(lambda: ear.heard == [("lead:7", 5)])
        stats = backplane.stats()
        assert (stats.state, stats.bad_messages, stats.listener_errors, stats.losses) == ("found", 4, 1, 0)


@pytest.fixture
def user(server) -> Iterator[Callable[[str], str]]:
    """Makes a user with these rights and gives its URL; the user is gone after the test."""
    name = f"user_{uuid.uuid4().hex[:8]}"
    socket = server.connection_pool.connection_kwargs["path"]

    def make(rights: str) -> str:
        server.execute_command("ACL", "SETUSER", name, "on", ">secret", *rights.split())
        return f"unix://{name}:secret@{socket}"

    yield make
    server.execute_command("ACL", "DELUSER", name)


async def test_a_link_that_carries_nothing_of_ours_is_not_trusted(user, channel, server) -> None:
    """Without the right to publish it hears all others, also an old heartbeat of its own, and says what is wrong."""
    ear = Ear()
    connect = connecting(user("~* &* +@all -publish"))
    async with opened(connect, channel, ear, **SOON) as backplane:
        await wait_until_async(lambda: server.pubsub_numsub(channel)[0][1] == 1)
        server.publish(channel, heartbeat_message(OWN, 999_999))
        server.publish(channel, heartbeat_message(OWN + 1, 1))
        server.publish(channel, key_message("lead:7", 5))
        await wait_until_async(lambda: ear.heard == [("lead:7", 5)])
        assert not backplane.found
        await wait_until_async(lambda: ear.links != [])
        assert "not heard" in ear.links[0]
        assert "publish" in ear.links[0]


async def test_a_client_that_speaks_another_protocol_is_not_trusted(redis_url, channel) -> None:
    """RESP3, the default of newer clients, delivers messages another way: only the self-test notices."""
    ear = Ear()
    async with opened(lambda: Redis.from_url(redis_url, protocol=3), channel, ear, **SOON) as backplane:
        await wait_until_async(lambda: ear.links != [])
        assert not backplane.found
    assert ear.links[0].startswith("the own heartbeat was not heard")


async def test_a_channel_that_is_forbidden_is_lost(user, channel) -> None:
    """SUBSCRIBE is refused: said with Redis' own words."""
    ear = Ear()
    async with opened(connecting(user("~* resetchannels +@all")), channel, ear) as backplane:
        await wait_until_async(lambda: ear.links != [])
        assert not backplane.found
    assert "permission" in ear.links[0]


async def test_without_the_right_to_ask_for_the_time_it_still_listens(user, channel) -> None:
    """The host's clock serves, and the stats say so."""
    async with opened(connecting(user("~* &* +@all -time")), channel) as backplane:
        await wait_until_async(lambda: backplane.found)
        stats = backplane.stats()
        assert (stats.clock_known, "time" in stats.problem) == (False, True)
        assert backplane.now() == pytest.approx(time.time(), abs=60)


async def test_it_closes_while_redis_is_silent(proxy, channel) -> None:
    """Nothing is waited for, and nobody is told that the link is lost."""
    ear = Ear()
    async with opened(through(proxy), channel, ear) as backplane:
        await wait_until_async(lambda: backplane.found)
        proxy.pause()
    assert ear.links == ["found"]
    assert backplane.stats().state == "closed"
    proxy.restore()
    await wait_until_async(lambda: proxy.connections == 0)
