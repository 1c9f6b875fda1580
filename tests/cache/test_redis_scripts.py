"""Scripts: leases, fills, deletes and markers are each one step, whoever else is at work, and every change is published."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis import Redis

from core.cache.coherence.messages import KeyChanged, TagChanged, parse
from core.cache.entry import Stored
from core.cache.redis_tier import RedisTier

PATIENT = 5.0
MINE, YOURS = 11, 22


def make(value: Any = 1, version: int = 7) -> Stored:
    """A value of a version."""
    return Stored(value=value, stored_at=1_795_000_000.0, expires_at=1_795_000_300.0, version=version)


class Ear:
    """What was published since it was made, in order."""

    def __init__(self, client: Redis, channel: str) -> None:
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(channel)
        self._pubsub.get_message(timeout=PATIENT)  # The confirmation: from here on nothing is missed.

    def heard(self) -> list[Any]:
        """All messages until now: publishing is done before the command's answer is sent."""
        messages = []
        while (message := self._pubsub.get_message(timeout=0.1)) is not None:
            messages.append(parse(message["data"]))
        return messages

    def close(self) -> None:
        """Listen no longer."""
        self._pubsub.close()


@pytest.fixture
async def tiers(redis_url: str) -> AsyncIterator[tuple[RedisTier, RedisTier]]:
    """Two tiers with the same prefix, as two processes have them."""
    prefix = f"t{uuid.uuid4().hex[:8]}:"
    async with AsyncExitStack() as stack:
        both = RedisTier(redis_url, PATIENT, prefix=prefix), RedisTier(redis_url, PATIENT, prefix=prefix)
        for tier in both:
            stack.push_async_callback(tier.close)
        yield both


@pytest.fixture
def tier(tiers: tuple[RedisTier, RedisTier]) -> RedisTier:
    """One of them."""
    return tiers[0]


@pytest.fixture
def raw(redis_url: str) -> Iterator[Redis]:
    """Another client of the same Redis."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def ear(raw: Redis, tier: RedisTier) -> Iterator[Ear]:
    """Hears the bus of both tiers."""
    ear = Ear(raw, tier.channel)
    yield ear
    ear.close()


async def test_one_of_many_claims_gets_the_lease(tiers, raw):
    """A hundred claims of two processes: one lease; it ends by itself, and its holder may ask again."""
    answers = await asyncio.gather(*(tiers[number % 2].claim("lead:1", number + 1, 10) for number in range(100)))

    assert answers.count(True) == 1
    assert answers.count(False) == 99
    assert await tiers[1].claim("lead:1", answers.index(True) + 1, 10) is True
    assert 9_000 < raw.pttl(tiers[0].keys.lease("lead:1")) <= 10_000


async def test_a_claim_returns_the_value_that_is_there(tier, raw):
    """No lease is taken then, but for a refresh."""
    await tier.write("lead:1", make("there"), 60)

    assert (await tier.claim("lead:1", MINE, 10)).value == "there"
    assert not raw.exists(tier.keys.lease("lead:1"))
    assert await tier.claim("lead:1", MINE, 10, force=True) is True
    assert await tier.claim("lead:1", YOURS, 10, force=True) is False


async def test_a_fill_needs_the_lease(tier, raw):
    """With it the value is stored once and the lease is gone; with another's, or none, nothing is."""
    assert await tier.fill("lead:1", make(), 60, MINE) is False
    assert await tier.claim("lead:1", YOURS, 10) is True
    assert await tier.fill("lead:1", make(), 60, MINE) is False
    assert await tier.get("lead:1") is None

    assert await tier.fill("lead:1", make("yours"), 60, YOURS) is True
    assert await tier.fill("lead:1", make("again"), 60, YOURS) is False
    assert (await tier.get("lead:1")).value == "yours"
    assert not raw.exists(tier.keys.lease("lead:1"))


@pytest.mark.parametrize("change", ["delete", "write"])
async def test_a_fill_begun_before_a_change_is_refused(tiers, change):
    """Delete and write take the lease away, also from another process."""
    loader, other = tiers
    assert await loader.claim("lead:1", MINE, 10) is True

    if change == "delete":
        await other.delete(["lead:1"])
    else:
        await other.write("lead:1", make("newer", 8), 60)

    assert await loader.renew("lead:1", MINE, 10) is False
    assert await loader.fill("lead:1", make("old"), 60, MINE) is False
    found = await other.get("lead:1")
    assert (found and found.value) == (None if change == "delete" else "newer")


async def test_a_lease_that_is_lost_is_not_another_s(tier, raw):
    """After it expired and another took it, the first can neither renew, release nor fill."""
    await tier.claim("lead:1", MINE, 10)
    raw.delete(tier.keys.lease("lead:1"))
    await tier.claim("lead:1", YOURS, 10)

    await tier.release("lead:1", MINE)

    assert await tier.renew("lead:1", MINE, 10) is False
    assert await tier.fill("lead:1", make(), 60, MINE) is False
    assert await tier.renew("lead:1", YOURS, 20) is True
    assert raw.pttl(tier.keys.lease("lead:1")) > 10_000
    await tier.release("lead:1", YOURS)
    assert not raw.exists(tier.keys.lease("lead:1"))


async def test_every_change_is_published(tier, ear):
    """A write and a refresh with their version, a delete as 0 also where nothing was; a first fill is no change."""
    await tier.claim("lead:1", MINE, 10)
    await tier.fill("lead:1", make(version=0xA), 60, MINE)
    await tier.write("lead:1", make(version=0xB), 60)
    await tier.claim("lead:1", MINE, 10, force=True)
    await tier.fill("lead:1", make(version=0xC), 60, MINE)
    await tier.delete(["lead:1", "lead:x:y"])

    assert ear.heard() == [
        KeyChanged("lead:1", 0xB), KeyChanged("lead:1", 0xC), KeyChanged("lead:1", 0), KeyChanged("lead:x:y", 0),
    ]  # fmt: skip


async def test_a_tag_has_one_generation_for_all(tiers, ear):
    """Made where it is missing, once, whoever asks; it is never 0 and stays until it is renewed."""
    tags = [f"market:{number}" for number in range(20)]

    answers = await asyncio.gather(*(tiers[number % 2].generations(tags) for number in range(10)))

    assert all(answer == answers[0] for answer in answers)
    assert sorted(ear.heard()) == sorted(TagChanged(tag, number) for tag, number in answers[0].items())
    assert all(0 < number < 2**63 for number in answers[0].values())
    renewed = await tiers[1].renew_tag("market:3")
    assert renewed != answers[0]["market:3"]
    assert await tiers[0].generations(tags) == answers[0] | {"market:3": renewed}
    assert ear.heard() == [TagChanged("market:3", renewed)]


@pytest.mark.parametrize("marker", [None, b"", b"no number", b"0", b"ffffffffffffffffff", b"ffffffffffffffff", b"0a", b"A"])
async def test_a_lost_or_damaged_marker_counts_as_invalidated(tier, raw, marker):
    """It gets a new generation, which is not the old one."""
    before = await tier.generations(["leads"])
    if marker is None:
        raw.delete(tier.keys.tag("leads"))
    else:
        raw.set(tier.keys.tag("leads"), marker)

    after = await tier.generations(["leads"])

    assert 0 < after["leads"] < 2**63
    assert after != before
    assert await tier.generations(["leads"]) == after


async def test_scripts_that_redis_forgot_are_sent_again(tier, raw):
    """One call and many, in the same turn or not: each is run once."""
    raw.script_flush()
    await asyncio.gather(*(tier.write(f"lead:{number}", make(number), 60) for number in range(20)))
    raw.script_flush()
    assert await tier.delete([f"lead:{number}" for number in range(20)]) == 20
    raw.script_flush()
    await tier.add_gain("run", 1, 0.5)
    assert (await tier.gain("run")).reads == 1


async def test_two_processes_writing_and_deleting_agree_with_the_bus(tiers, ear):
    """Whatever order the changes took: the last message of each key names what Redis holds, so no copy outlives it."""
    chance = random.Random(3)
    keys = [f"lead:{number}" for number in range(200)]

    async def change(tier: RedisTier, key: str) -> None:
        kind, version = chance.randrange(4), chance.randrange(1, 2**63)
        if kind == 0:
            await tier.delete([key])
        elif kind == 1:
            await tier.write(key, make(version=version), 60)
        elif await tier.claim(key, version, 10, force=True):
            await tier.fill(key, make(version=version), 60, version)

    for key in keys:  # So that every fill replaces something and is published.
        await tiers[0].write(key, make(), 60)
    await asyncio.gather(*(change(tiers[number % 2], chance.choice(keys)) for number in range(2_000)))

    last = {message.key: message.version for message in ear.heard()}
    held = await tiers[0].get_many(keys)
    deleted_or_filled_anew = {key for key in keys if last[key] == 0}
    for key in set(keys) - deleted_or_filled_anew:
        assert held[key].version == last[key]
    for key in deleted_or_filled_anew & set(held):
        assert held[key].version != 7  # Filled after its delete: nobody had a copy, so there was nothing to publish.
