"""RedisTier reaches Redis by every kind of URL, and needs few rights there."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.cache.entry import Stored
from core.cache.redis_tier import RedisTier
from core.errors import DependencyDown, DependencyError
from tests.cache.redis_server import RedisServer
from tests.servers import Servers

PATIENT = 5.0
# As docs/architecture.md grants them; the commands that must not be needed are taken away again, should a category hold them.
RIGHTS = (
    "~app:* resetchannels &app:* +@read +@write +@connection +eval +evalsha +publish +subscribe +time"
    " -keys -client -config -memory -info -@admin -@dangerous"
)


def make(value: object) -> Stored:
    """A value of a version."""
    return Stored(value=value, stored_at=1_795_000_000.0, expires_at=1_795_000_300.0, version=7)


@pytest.fixture
def server(servers: Servers) -> Iterator[RedisServer]:
    """A Redis with a user of few rights."""
    with RedisServer(servers.folder) as server:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "app", "on", ">secret", *RIGHTS.split())
        yield server


async def in_use(tier: RedisTier) -> None:
    """Every command that the cache needs, with its effect."""
    await tier.write("lead:1", make({"a": 1}), 60)
    assert (await tier.get("lead:1")).value == {"a": 1}
    assert await tier.claim("lead:2", 5, 10) is True
    assert await tier.renew("lead:2", 5, 10) is True
    assert await tier.fill("lead:2", make(b"b"), 60, 5) is True
    assert set(await tier.get_many(["lead:1", "lead:2"])) == {"lead:1", "lead:2"}
    before = (await tier.generations(["leads"]))["leads"]
    assert await tier.renew_tag("leads") != before
    assert {info.key for info in (await tier.scan("lead:")).keys} == {"lead:1", "lead:2"}
    await tier.add_gain("run", 2, 0.5)
    assert (await tier.gain("run")).reads == 2
    assert await tier.delete(["lead:1", "lead:2"]) == 2
    assert await tier.time() > 0


async def test_a_user_of_one_prefix_is_enough(server):
    """Nothing of CONFIG, CLIENT, MEMORY, KEYS or INFO is needed; what INFO would tell is said to be unknown."""
    async with opened(server.url.replace("unix://", "unix://app:secret@"), prefix="app:") as tier:
        await in_use(tier)
        assert (await tier.ping()).version == "unknown"
        stats = await tier.stats()
        assert (stats.used_bytes, stats.max_bytes) == (None, None)
        assert stats.keys == 2  # The marker and the gain.
        assert "INFO" in stats.note
    with server.client() as client:
        refused = client.execute_command("ACL", "LOG")
    assert {entry[b"object"] for entry in map(_pairs, refused)} == {b"info"}


async def test_the_bus_may_be_heard_and_used(server):
    """The client for the bus subscribes and publishes under the same user."""
    async with opened(server.url.replace("unix://", "unix://app:secret@"), prefix="app:") as tier:
        client = tier.pubsub_client()
        try:
            pubsub = client.pubsub(ignore_subscribe_messages=True)
            await pubsub.subscribe(tier.channel)
            await tier.delete(["lead:1"])
            while (message := await pubsub.get_message(timeout=PATIENT)) is None:
                pass
            assert message["data"] == b"k:0:lead:1"
            await pubsub.aclose()
        finally:
            await client.aclose()


async def test_another_prefix_is_refused_and_said_so(server):
    """The operator is told that it is the user's rights; foreign keys are listed without what may not be asked."""
    with server.client() as client:
        client.set("session:1", "x")
    async with opened(server.url.replace("unix://", "unix://app:secret@"), prefix="core:") as tier:
        with pytest.raises(DependencyError, match="to this user") as caught:
            await tier.write("lead:1", make(1), 60)
        assert "rights" in caught.value.next_step
        listed = {key.name: key for key in (await tier.scan_all()).keys}
        assert (listed["session:1"].type, listed["session:1"].ttl_seconds) == ("", None)


@pytest.mark.parametrize(
    "options", ["", "?db=1", "?protocol=3&socket_timeout=0.000001&max_connections=1&decode_responses=true"]
)
async def test_options_of_the_url_do_not_undo_what_is_promised(server, options):
    """A database may be chosen; protocol, timeouts, decoding and the pool's size are ours."""
    async with opened(server.url + options) as tier:
        await asyncio.gather(*(in_use(tier) for _ in range(1)))
        await asyncio.gather(*(tier.get_many(["lead:1"]) for _ in range(20)))


async def test_tcp(server, tcp_proxy):
    """redis:// with user and password, and with a database."""
    port = tcp_proxy(server.socket).port
    for url in (f"redis://app:secret@127.0.0.1:{port}", f"redis://127.0.0.1:{port}/2"):
        async with opened(url, prefix="app:") as tier:
            await in_use(tier)
            await tier.delete(["lead:1"])


async def test_tls(server, certificate):
    """rediss:// checks the certificate: the right authority is enough, and without it the reason is said."""
    async with tls_in_front_of(server, certificate) as port:
        async with opened(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}") as tier:
            await in_use(tier)
        async with opened(f"rediss://127.0.0.1:{port}") as tier:
            with pytest.raises(DependencyDown, match=r"(?i)certificate"):
                await tier.get("lead:1")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        f" -keyout {path}.key -out {path}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.key").read_text())
    return path


@asynccontextmanager
async def opened(url: str, **options: str) -> AsyncIterator[RedisTier]:
    """A tier on any URL; a test that hangs is cut off."""
    async with asyncio.timeout(30):
        tier = RedisTier(url, PATIENT, **options)
        try:
            yield tier
        finally:
            await tier.close()


@asynccontextmanager
async def tls_in_front_of(server: RedisServer, certificate: Path) -> AsyncIterator[int]:
    """The port of a TLS end in front of a Redis: the server in the wheel is built without TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(server.socket)
        pumps.update((asyncio.create_task(pump(reader, inner_writer)), asyncio.create_task(pump(inner_reader, writer))))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await asyncio.gather(*pumps, return_exceptions=True)


def _pairs(entry: list[object]) -> dict[object, object]:
    """An entry of ACL LOG as the wire has it."""
    return dict(zip(entry[::2], entry[1::2], strict=True)) if isinstance(entry, list) else entry
