"""RedisTier: what goes in comes out, in few round trips, and nobody's trouble is another's."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis import Redis

from core.cache.entry import ABSENT, Stored
from core.cache.redis_tier import Gain, RedisTier
from core.cache.redis_tier.connections import Connections
from core.cache.redis_tier.explorer import KeyInfo
from core.errors import UsageError

PATIENT = 5.0  # Where time is not what is tested.


def make(value: Any = 1, version: int = 7, **fields: Any) -> Stored:
    """A value that was stored a moment ago, by nobody's clock."""
    return Stored(**{"value": value, "stored_at": 1_795_000_000.0, "expires_at": 1_795_000_300.0, "version": version} | fields)


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:8]}:"


@pytest.fixture
async def tier(redis_url: str, prefix: str) -> AsyncIterator[RedisTier]:
    """A tier of this test's own."""
    async with opened(RedisTier(redis_url, PATIENT, prefix=prefix)) as tier:
        yield tier


@contextlib.asynccontextmanager
async def opened(tier: RedisTier) -> AsyncIterator[RedisTier]:
    """Closed also when the test fails: uvloop waits for ever at its end for a connection that was left open."""
    await tier.open()
    try:
        yield tier
    finally:
        await tier.close()


@pytest.fixture
def raw(redis_url: str) -> Iterator[Redis]:
    """Another program on the same Redis."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("value", [None, 0, "", b"\x00", {"a": [1]}, ABSENT])
async def test_a_written_value_is_read(tier, value):
    """By get, get_many and claim alike; None is a value, and absent is told apart."""
    await tier.write("lead:1", make(value), 60)

    claimed = await tier.claim("lead:1", 5, 10)
    for read in (await tier.get("lead:1"), (await tier.get_many(["lead:1", "lead:2"]))["lead:1"], claimed):
        assert (read.value, type(read.value)) == (value, type(value))
    assert await tier.get("lead:2") is None


async def test_a_value_goes_when_its_life_ends(tier, raw):
    """Redis itself removes it, after the physical life."""
    await tier.write("lead:1", make(), 300)

    assert 299_000 < raw.pttl(tier.keys.value("lead:1")) <= 300_000


@pytest.mark.parametrize("key", ["lead:}:lease", "lead:*", "lead:ü b", "lead:{x}", "lead:" + "x" * 2_000])
async def test_any_key_is_a_key(tier, key):
    """Braces, stars, blanks and other letters neither collide nor get lost."""
    await tier.write(key, make("mine"), 60)
    await tier.write("lead:other", make("other"), 60)

    assert (await tier.get(key)).value == "mine"
    assert [info.key for info in (await tier.scan(key)).keys] == [key]
    assert await tier.delete([key]) == 1
    assert (await tier.get("lead:other")).value == "other"


async def test_gets_of_one_turn_are_one_round_trip(tier):
    """A hundred callers, some of them for the same key, cost one MGET; each gets its own value."""
    await asyncio.gather(*(tier.write(f"lead:{number}", make(number), 60) for number in range(50)))
    before = (await tier.stats()).round_trips

    found = await asyncio.gather(*(tier.get(f"lead:{number % 50}") for number in range(100)))

    assert [stored.value for stored in found] == [*range(50), *range(50)]
    assert (await tier.stats()).round_trips == before + 2  # One of them is that of stats.


async def test_writes_of_one_turn_are_one_round_trip(tier, raw):
    """Also those of different kinds."""
    await asyncio.gather(tier.write("lead:0", make(), 60), tier.delete(["lead:0"]))  # Redis knows both scripts now.
    before = (await tier.stats()).round_trips

    await asyncio.gather(*(tier.write(f"lead:{number}", make(number), 60) for number in range(100)))

    assert (await tier.stats()).round_trips == before + 2
    assert len(await tier.get_many([f"lead:{number}" for number in range(100)])) == 100


async def test_many_keys_travel_in_chunks(tier):
    """More than one chunk of reads, writes and deletes is complete and in order."""
    keys = [f"lead:{number}" for number in range(1_203)]
    await asyncio.gather(*(tier.write(key, make(number), 60) for number, key in enumerate(keys)))

    found = await tier.get_many(keys)
    together = await asyncio.gather(*(tier.get(key) for key in keys))

    assert [found[key].value for key in keys] == [stored.value for stored in together] == list(range(1_203))
    assert await tier.delete(keys) == 1_203


async def test_a_cancelled_caller_cancels_nobody_else(tier):
    """Whoever of a batch is cancelled, also the one that began it, the others get their values; and the next ones too."""
    for victim in (0, 3):
        await asyncio.gather(*(tier.write(f"lead:{number}", make(number), 60) for number in range(6)))
        callers = [asyncio.ensure_future(tier.get(f"lead:{number}")) for number in range(6)]
        await asyncio.sleep(0)  # All have asked; the one that began gives the others their turn.
        callers[victim].cancel()

        answers = await asyncio.gather(*callers, return_exceptions=True)

        assert isinstance(answers.pop(victim), asyncio.CancelledError)
        assert [stored.value for stored in answers] == [number for number in range(6) if number != victim]
    assert (await tier.get("lead:1")).value == 1


async def test_a_lone_caller_cancelled_on_the_way_leaves_no_reply_behind(tier):
    """The connection on which a reply is still to come is never used again: each key answers its own value."""
    for number in range(4):
        await tier.write(f"lead:{number}", make(number), 60)
    for steps in range(1, 8):
        caller = asyncio.ensure_future(tier.get("lead:0"))
        for _ in range(steps):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        assert [(await tier.get(f"lead:{number}")).value for number in (1, 2, 3)] == [1, 2, 3]


async def test_many_callers_share_few_connections(redis_url, prefix, raw):
    """Reads of many turns wait for one another and none is refused."""
    async with opened(RedisTier(redis_url, PATIENT, prefix=prefix, max_connections=2)) as tier:
        await tier.write("lead:1", make("x"), 60)

        async def reader(turns: int) -> list[Any]:
            for _ in range(turns):
                await asyncio.sleep(0)
            return [(await tier.get_many(["lead:1"]))["lead:1"].value for _ in range(5)]

        answers = await asyncio.gather(*(reader(number) for number in range(60)))

        assert answers == [["x"] * 5] * 60
        database = str(raw.client_info()["db"])  # Other workers are on other databases of the same server.
        own = [client for client in raw.client_list() if client["db"] == database and client["cmd"] == "mget"]
        assert 1 <= len(own) <= 2


async def test_a_waiter_cancelled_with_its_connection_in_hand_gives_it_back(redis_url):
    """Nothing leaks: after it the only connection serves the next one."""
    ping = [("PING",)]
    async with contextlib.AsyncExitStack() as stack:
        connections = Connections(redis_url, connect_timeout_seconds=PATIENT, most=1)
        stack.push_async_callback(connections.close)
        for steps in range(1, 12):
            first, second = (asyncio.ensure_future(connections.exchange(ping, PATIENT)) for _ in range(2))
            for _ in range(steps):
                await asyncio.sleep(0)
            second.cancel()
            await asyncio.gather(first, second, return_exceptions=True)
            assert await connections.exchange(ping, PATIENT) == [b"PONG"]


async def test_one_bad_value_affects_only_its_key(tier, raw):
    """Another program's text, a newer format and a list in its place are absent; their neighbours are read."""
    await tier.write("lead:1", make("good"), 60)
    raw.set(tier.keys.value("lead:2"), b"not ours")
    raw.set(tier.keys.value("lead:3"), b"\xc5E\x63 from next year")
    raw.rpush(tier.keys.value("lead:4"), "a list")
    keys = [f"lead:{number}" for number in range(1, 5)]

    assert {key: stored.value for key, stored in (await tier.get_many(keys)).items()} == {"lead:1": "good"}
    assert [stored and stored.value for stored in await asyncio.gather(*map(tier.get, keys))] == ["good", None, None, None]
    stats = await tier.stats()
    assert (stats.poisoned, stats.newer) == (2, 2)
    assert [info.codec for info in (await tier.describe(keys)).values()] == ["json", "poisoned", "newer", "poisoned"]


async def test_a_bad_value_does_not_keep_its_key_from_being_loaded(tier, raw):
    """The claim is the lease; a poisoned value is replaced, a newer one is left to the newer version."""
    raw.set(tier.keys.value("lead:2"), b"not ours")
    raw.set(tier.keys.value("lead:3"), b"\xc5E\x63 from next year")
    raw.rpush(tier.keys.value("lead:4"), "a list")

    filled = {}
    for key in ("lead:2", "lead:3", "lead:4"):
        assert await tier.claim(key, 5, 10) is True
        filled[key] = await tier.fill(key, make("new"), 60, 5)

    assert filled == {"lead:2": True, "lead:3": False, "lead:4": True}
    assert raw.get(tier.keys.value("lead:3")) == b"\xc5E\x63 from next year"
    assert not raw.exists(*(tier.keys.lease(key) for key in filled))


async def test_a_key_that_cannot_be_sent_is_refused_to_its_caller_alone(tier):
    """Half a surrogate pair, as JSON may bring it, fails that read; the others of the same turn are answered."""
    await tier.write("lead:ü", make("good"), 60)

    bad, good = await asyncio.gather(tier.get("lead:\ud800"), tier.get("lead:ü"), return_exceptions=True)

    assert isinstance(bad, UsageError)
    assert good.value == "good"
    for call in (tier.write("lead:\ud800", make(), 60), tier.renew_tag("\ud800"), tier.delete(["\ud800"])):
        with pytest.raises(UsageError):
            await call


async def test_what_is_too_large_is_not_stored(tier, raw):
    """A fill of it says so and gives the lease back."""
    assert await tier.claim("lead:1", 5, 10) is True

    assert await tier.fill("lead:1", make(b"x" * (33 * 2**20)), 60, 5) is False
    assert not raw.exists(tier.keys.lease("lead:1"))
    assert (await tier.stats()).too_large == 1


async def test_keys_are_told_of_without_their_values(tier):
    """Version, times, size and tags; what is not there is left out."""
    tags = (("market:austin", 3), ("leads", 4))
    await tier.write("lead:1", make({"a": 1}, version=99, generations=tags, run="morning", priority="high"), 300)

    described = await tier.describe(["lead:1", "lead:2"])

    info = described["lead:1"]
    assert list(described) == ["lead:1"]
    assert (info.version, info.run, info.priority, info.tags) == (99, "morning", "high", ("market:austin", "leads"))
    assert (info.stored_at, info.expires_at, info.codec) == (1_795_000_000.0, 1_795_000_300.0, "json")
    assert 299 < info.ttl_seconds <= 300
    assert info.size_bytes == (await tier.get("lead:1")).size_bytes


async def test_a_scan_finds_every_key_that_starts_so_and_no_other(tier, raw):
    """Page by page; leases, markers, other families and other prefixes are not among them."""
    keys = {f"lead:{number}" for number in range(300)}
    await asyncio.gather(*(tier.write(key, make(), 60) for key in keys), tier.write("leads:x", make(), 60))
    await tier.claim("lead:300", 1, 10)
    await tier.generations(["lead:1"])
    raw.set("lead:7", "foreign")
    found: list[KeyInfo] = []
    cursor, pages = 0, 0
    while True:
        page = await tier.scan("lead:", cursor, 50)
        found += page.keys
        cursor, pages = page.cursor, pages + 1
        if not cursor:
            break

    assert {info.key for info in found} == keys
    assert pages > 1


async def test_foreign_keys_are_listed_with_type_and_life(tier, raw):
    """Every key of the database is shown, whatever its name; those of the cache are marked."""
    raw.hset("session:1", "user", "x")
    raw.set(b"caf\xe9", "x", ex=100)
    await tier.write("lead:1", make(), 60)

    listed = {key.name: key for key in (await tier.scan_all()).keys}

    assert (listed["session:1"].type, listed["session:1"].ttl_seconds, listed["session:1"].ours) == ("hash", None, False)
    assert 99 < listed["caf\\xe9"].ttl_seconds <= 100
    assert listed[tier.keys.value("lead:1")].ours
    assert [key.name for key in (await tier.scan_all("session:*")).keys] == ["session:1"]


async def test_nothing_is_written_outside_the_prefix(tier, raw, prefix):
    """After every command that writes, all names in Redis but the foreign ones start with the prefix."""
    raw.set("foreign", "x")
    before = raw.dump("foreign")
    await tier.write("lead:1", make(), 60)
    await tier.claim("foreign", 1, 10)
    await tier.fill("foreign", make(), 60, 1)
    await tier.claim("lead:2", 2, 10)
    await tier.renew("lead:2", 2, 10)
    await tier.generations(["foreign"])
    await tier.renew_tag("foreign")
    await tier.add_gain("foreign", 1, 1)
    await tier.delete(["foreign", "lead:1"])

    names = {name.decode() for name in raw.keys("*")}
    assert {name for name in names if not name.startswith(prefix)} == {"foreign"}
    assert raw.dump("foreign") == before


async def test_the_gain_of_a_run_adds_up(tier, raw):
    """From several processes, and it is kept for two days."""
    await tier.add_gain("run-1", 3, 0.5)
    await tier.add_gain("run-1", 2, 0.25)

    assert await tier.gain("run-1") == Gain(5, 0.75)
    assert await tier.gain("run-2") == Gain(0, 0)
    assert 0 < raw.ttl(tier.keys.gain("run-1")) <= 2 * 86_400


async def test_time_is_that_of_redis(tier, raw):
    """Seconds since the epoch, between two looks at it."""
    before = raw.time()
    assert before[0] <= await tier.time() <= raw.time()[0] + 1


@pytest.mark.parametrize("prefix", ["", "a{b}:", "a*", "a b", "x" * 65])
def test_a_prefix_that_cannot_work_is_refused(redis_url, prefix):
    """Braces would move the hash tag, and a star would mean every key."""
    with pytest.raises(ValueError, match="A prefix has"):
        RedisTier(redis_url, 1, prefix=prefix)
