"""TieredCache: what a read answers, from which tier, and what it counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.cache.entry import ABSENT
from core.cache.families import Families, Family
from core.cache.parts import CacheParts
from core.cache.policy import CachePolicy
from core.cache.tiered import TieredCache
from core.errors import CacheTypeError, UsageError
from tests.cache.caches import Loads, make_parts, new_prefix, opened
from tests.support import wait_until_async

VALUE = {"score": 87, "tags": ["a", "b"], "nested": {"deep": [1, 2.5, None, True]}}


@pytest.fixture
def parts(redis_url: str) -> CacheParts:
    """The parts of a cache of this test."""
    return make_parts(redis_url, new_prefix())


@pytest.fixture
async def cache(parts: CacheParts) -> AsyncIterator[TieredCache]:
    """A cache that is open and linked."""
    async with opened(parts) as cache:
        yield cache


async def test_get_of_an_absent_key_is_the_default(cache):
    """A miss gives the default."""
    assert await cache.get("lead:1") is None
    assert await cache.get("lead:1", "nobody") == "nobody"


@pytest.mark.parametrize("value", [VALUE, [1, [2]], "text", b"\x00\xff", 0, 1.5, True, None, {}, []], ids=repr)
async def test_value_is_the_same_from_either_tier(cache, parts, value):
    """A value is equal and of the same type from memory and from Redis; None is a value."""
    await cache.set("lead:1", value)
    from_memory = await cache.read("lead:1")
    parts.memory.clear()
    from_redis = await cache.read("lead:1")
    assert (from_memory.tier, from_redis.tier) == ("memory", "redis")
    assert from_memory.value == from_redis.value == value
    assert type(from_memory.value) is type(from_redis.value) is type(value)
    assert await cache.get("lead:1", "default") == value


@pytest.mark.parametrize(
    "value", [(1, 2), Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), {1: "a"}, {"a": {2}}, float("nan"), 1 << 70], ids=repr
)
async def test_value_that_json_would_change_is_refused(cache, value):
    """What would come back as something else raises at `set` and at a load, and nothing is stored."""
    with pytest.raises(CacheTypeError):
        await cache.set("lead:1", value)
    with pytest.raises(CacheTypeError):
        await cache.get_or_load("lead:2", Loads(value))
    assert await cache.get_many(["lead:1", "lead:2"]) == {}


@pytest.mark.parametrize("key", ["", "lead", "lead:", "Lead:1", "le ad:1", ":1"])
async def test_what_is_no_key_is_refused(cache, key):
    """A key without a family is an error of the caller."""
    with pytest.raises(UsageError, match="is no key"):
        await cache.get(key)
    with pytest.raises(UsageError, match="is no key"):
        await cache.set(key, 1)


async def test_hit_cannot_be_changed_by_a_reader(cache):
    """What one reader does to its value, or the writer to the one it gave, no other reader sees."""
    given = {"list": [1], "deep": {"a": [1]}}
    await cache.set("lead:1", given)
    given["list"].append(2)
    first = await cache.get("lead:1")
    first["deep"]["a"].append(9)
    loaded = await cache.get_or_load("lead:2", Loads(given))
    loaded["list"].clear()
    assert await cache.get("lead:1") == {"list": [1], "deep": {"a": [1]}}
    assert await cache.get("lead:2") == {"list": [1, 2], "deep": {"a": [1]}}


async def test_load_is_stored_in_both_tiers(cache, parts):
    """The loader is asked once; then memory answers, and Redis when memory has lost it."""
    loads = Loads(VALUE)
    reads = [await cache.read("lead:1", loads), await cache.read("lead:1", loads)]
    parts.memory.clear()
    reads.append(await cache.read("lead:1", loads))
    assert [(read.outcome, read.tier, read.reason) for read in reads] == [
        ("miss", "loader", "cold"), ("hit", "memory", ""), ("hit", "redis", ""),
    ]  # fmt: skip
    assert loads.calls == 1
    assert [read.value for read in reads] == [VALUE] * 3


async def test_absent_is_remembered(cache, parts):
    """A key that the loader says is absent gives the default without asking again, from either tier."""
    loads = Loads(ABSENT)
    assert await cache.get_or_load("lead:1", loads, default="nobody") == "nobody"
    assert await cache.get_or_load("lead:1", loads) is None
    parts.memory.clear()
    read = await cache.read("lead:1", loads)
    assert (read.outcome, read.tier, loads.calls) == ("negative", "redis", 1)
    assert await cache.get_many(["lead:1"]) == {}


async def test_none_is_a_value(cache):
    """A loader that answers None is not asked again."""
    loads = Loads(None)
    assert await cache.get_or_load("lead:1", loads, default="d") is None
    assert await cache.get_or_load("lead:1", loads, default="d") is None
    assert loads.calls == 1
    assert await cache.get_many(["lead:1"]) == {"lead:1": None}


async def test_error_is_raised_and_not_stored(cache):
    """A failed load raises its own error; the next read loads again."""
    loads = Loads(LookupError("no such table"))
    for _ in range(2):
        with pytest.raises(LookupError, match="no such table"):
            await cache.get_or_load("lead:1", loads)
    loads.value = 7
    assert await cache.get_or_load("lead:1", loads) == 7
    assert loads.calls == 3


async def test_delete_and_invalidate(cache, parts):
    """A deleted key and every key of an invalidated tag are loaded anew, and say so."""
    for key in ("lead:1", "lead:2", "lead:3"):
        await cache.get_or_load(key, Loads("old"), tags=("leads",) if key != "lead:3" else ())
    await cache.delete("lead:3")
    await cache.invalidate("leads")
    reads = [await cache.read(key, Loads("new")) for key in ("lead:1", "lead:2", "lead:3")]
    assert [(read.value, read.reason) for read in reads] == [("new", "invalidated")] * 3
    parts.memory.clear()
    assert await cache.get_many(["lead:1", "lead:2", "lead:3"]) == dict.fromkeys(("lead:1", "lead:2", "lead:3"), "new")


async def test_lost_marker_counts_as_invalidated(cache, parts):
    """When Redis has lost the generation of a tag, what carries it is not believed."""
    await cache.get_or_load("lead:1", Loads("old"), tags=("leads",))
    parts.memory.clear()
    parts.tags.forget_all()
    client = parts.redis.pubsub_client()
    await client.delete(parts.redis.keys.tag("leads"))
    await client.aclose()
    assert (await cache.read("lead:1", Loads("new"))).reason == "invalidated"


async def test_family_knows_its_loader(redis_url):
    """With a registered family a key alone is enough; its time, tags and negative answers are the family's."""
    asked: list[str] = []

    async def load(rest: str) -> object:
        asked.append(rest)
        return ABSENT if rest == "0" else {"id": rest}

    families = Families((Family(name="lead", title="Lead", load=load, ttl_seconds=60, tags=lambda rest: (f"lead:{rest}",)),))
    async with opened(make_parts(redis_url, new_prefix()), families) as cache:
        assert await cache.fetch("lead:1") == {"id": "1"}
        assert await cache.fetch("lead:0", "nobody") == "nobody"
        assert (await cache.fetch_read("lead:0")).outcome == "negative"
        await cache.invalidate("lead:1")
        assert await cache.fetch("lead:1") == {"id": "1"}
        assert asked == ["1", "0", "1"]
        with pytest.raises(UsageError, match="no loader"):
            await cache.fetch("market_data:austin")


async def test_expired_value_is_loaded_again(cache):
    """After its time a value is a miss by expiry, for `get` too."""
    await cache.set("lead:1", "old", ttl_seconds=0.02)
    await wait_until_async(lambda: cache.peek("lead:1") is None)
    assert await cache.get("lead:1") is None
    read = await cache.read("lead:1", Loads("new"))
    assert (read.value, read.reason) == ("new", "expired")


async def test_counts_are_those_of_the_reads(cache, parts):
    """Hits by tier, misses by reason and saved time reach the recorder at the next fold."""
    for _ in range(40):
        await cache.get_or_load("lead:1", Loads(1))
    await cache.get("lead:2")
    recorder = parts.insight._record
    recorder.add_source(cache.insight.fold)
    recorder.fold()
    snapshot = recorder.snapshot(60)
    assert snapshot.counted("cache_hits", "lead", "memory") == 39
    assert snapshot.counted("cache_misses", "lead", "cold") == 2
    assert [(item.key, item.count) for item in cache.insight.hottest(1)] == [("lead:1", 39)]
    assert {item.key for item in cache.insight.most_missed(5)} == {"lead:1", "lead:2"}
    assert recorder.total("cache_read_seconds", 60).count == 39


async def test_time_of_a_lone_hit_is_known(cache, parts):
    """A cache that is read once in a second has a read time too: the first hit after each fold is timed."""
    await cache.set("lead:1", 1)
    for _ in range(2):
        await cache.get("lead:1")
        cache.insight.fold()
    cache.peek("lead:1")
    cache.insight.fold()
    parts.insight._record.fold()
    assert parts.insight._record.total("cache_read_seconds", 60).count == 3


async def test_policy_gives_priorities_their_time(redis_url):
    """Critical values live twice as long as normal ones, less at most the jitter."""
    async with opened(make_parts(redis_url, new_prefix(), policy=CachePolicy())) as cache:
        for priority in ("critical", "high", "normal", "low"):
            await cache.set(f"lead:{priority}", 1, ttl_seconds=100, priority=priority)
        left = await cache.remaining_seconds([f"lead:{name}" for name in ("critical", "high", "normal", "low")])
    assert 188 < left["lead:critical"] <= 200
    assert 133 < left["lead:high"] <= 150
    assert 88 < left["lead:normal"] <= 100
    assert 38 < left["lead:low"] <= 50
