"""Outbox: what did not reach Redis is sent later, once, and nothing that was added meanwhile is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from core.cache.coherence.outbox import CHUNK, Outbox, OutboxStats
from core.cache.entry import Stored
from core.cache.redis_tier import RedisTier
from core.cache.tags import EVERYTHING
from core.errors import DependencyDown


@pytest.fixture
async def tier(redis_url) -> AsyncIterator[RedisTier]:
    """Redis, empty."""
    tier = RedisTier(redis_url, 5.0)
    await tier.open()
    yield tier
    await tier.close()


async def store(tier: RedisTier, *keys: str) -> None:
    """Values that live for a minute."""
    now = await tier.time()
    for key in keys:
        await tier.write(key, Stored(value={"key": key}, stored_at=now, expires_at=now + 60, version=1), 60)


class Faulty:
    """A tier whose calls are counted, disturbed, and refused from the n-th on."""

    def __init__(self, tier: RedisTier, works: int = 1_000_000, during: Callable[[], None] = lambda: None) -> None:
        self.tier, self.works, self.during = tier, works, during
        self.calls: list[Any] = []

    async def delete(self, keys: Sequence[str]) -> Any:
        self._count(list(keys))
        return await self.tier.delete(keys)

    async def renew_tag(self, tag: str) -> Any:
        self._count(tag)
        return await self.tier.renew_tag(tag)

    def _count(self, call: Any) -> None:
        if len(self.calls) == self.works:
            raise DependencyDown("Connection refused.")
        self.calls.append(call)
        self.during()


async def test_a_replay_deletes_keys_and_renews_tags(tier) -> None:
    """What is in it is not believed until then, and believed again afterwards; other keys stay."""
    outbox = Outbox()
    await store(tier, "lead:1", "lead:2")
    generation = (await tier.generations(["market:austin"]))["market:austin"]
    outbox.add_key("lead:1")
    outbox.add_tag("market:austin")
    assert (outbox.holds_key("lead:1"), outbox.holds_key("lead:2"), outbox.holds_tag("market:austin")) == (True, False, True)
    assert (len(outbox), outbox.stats()) == (2, OutboxStats(keys=1, tags=1, everything=False))

    await outbox.replay(tier)

    assert (len(outbox), outbox.holds_key("lead:1"), outbox.holds_tag("market:austin")) == (0, False, False)
    assert set(await tier.get_many(["lead:1", "lead:2"])) == {"lead:2"}
    assert (await tier.generations(["market:austin"]))["market:austin"] != generation


async def test_keys_are_sent_once_and_in_chunks(tier) -> None:
    """Ten writes of a key are one delete."""
    outbox, faulty = Outbox(), Faulty(tier)
    for _ in range(10):
        for number in range(CHUNK + 1):
            outbox.add_key(f"lead:{number}")
    await outbox.replay(faulty)
    assert [len(keys) for keys in faulty.calls] == [CHUNK, 1]


async def test_a_later_write_that_arrived_is_not_deleted(tier) -> None:
    """It is newer than the change that waited."""
    outbox = Outbox()
    outbox.add_key("lead:1")
    await store(tier, "lead:1")
    outbox.discard("lead:1")
    await outbox.replay(tier)
    assert (await tier.get("lead:1")).value == {"key": "lead:1"}


async def test_what_fails_stays(tier) -> None:
    """The chunk that arrived is done, the others wait for the next replay."""
    outbox = Outbox()
    keys = [f"lead:{number}" for number in range(2 * CHUNK)]
    for key in keys:
        outbox.add_key(key)
    with pytest.raises(DependencyDown):
        await outbox.replay(Faulty(tier, works=1))
    assert [outbox.holds_key(key) for key in keys] == [False] * CHUNK + [True] * CHUNK
    await outbox.replay(tier)
    assert len(outbox) == 0


async def test_a_tag_that_fails_stays_alone(tier) -> None:
    """Those of the same chunk that arrived are done."""
    outbox = Outbox()
    for tag in ("market:austin", "market:dallas"):
        outbox.add_tag(tag)
    with pytest.raises(DependencyDown):
        await outbox.replay(Faulty(tier, works=1))
    assert outbox.holds_tag("market:dallas")
    await outbox.replay(tier)
    assert len(outbox) == 0


async def test_what_is_added_again_during_a_replay_stays(tier) -> None:
    """The delete that was under way is older than the change that was added."""
    outbox = Outbox()

    def change_again() -> None:
        outbox.add_key("lead:1")
        outbox.add_tag("market:austin")

    outbox.add_key("lead:1")
    outbox.add_key("lead:2")
    outbox.add_tag("market:austin")
    await outbox.replay(Faulty(tier, during=change_again))
    assert (outbox.holds_key("lead:1"), outbox.holds_key("lead:2"), outbox.holds_tag("market:austin")) == (True, False, True)


async def test_too_many_changes_become_everything(tier) -> None:
    """Nothing in Redis is believed; the replay is one step, however many values there are."""
    outbox, faulty = Outbox(max_items=3), Faulty(tier)
    generation = await tier.generations([EVERYTHING])
    for number in range(4):
        outbox.add_key(f"lead:{number}")
    assert (outbox.everything, outbox.holds_key("lead:77"), outbox.holds_tag("market:77"), len(outbox)) == (True, True, True, 1)

    await outbox.replay(faulty)

    assert (outbox.everything, outbox.holds_key("lead:77"), len(outbox)) == (False, False, 0)
    assert faulty.calls == [EVERYTHING]
    assert await tier.generations([EVERYTHING]) != generation


async def test_everything_that_fails_stays(tier) -> None:
    """So does what overflows again, or is added, while everything is sent."""
    outbox = Outbox(max_items=1)
    outbox.add_key("lead:1")
    outbox.add_key("lead:2")
    with pytest.raises(DependencyDown):
        await outbox.replay(Faulty(tier, works=0))
    assert outbox.everything

    added_meanwhile = iter(["lead:3", "lead:4", "lead:5"])

    def overflow() -> None:
        for key in added_meanwhile:
            outbox.add_key(key)

    await outbox.replay(Faulty(tier, during=overflow))
    assert outbox.everything
    await outbox.replay(tier)
    assert len(outbox) == 0
