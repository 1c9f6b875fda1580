"""PlatformChanges: which tags a change removes, and how many interactions share a removal."""

from __future__ import annotations

import asyncio

from core.platform.changes import MOST_LEADS, PlatformChanges
from core.platform.tags import lead_tag


class SlowCache:
    """Remembers what was removed; each removal waits for `go`."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.go = asyncio.Event()

    async def invalidate(self, tag: str) -> None:
        """Remember the tag."""
        self.removed.append(tag)
        await self.go.wait()


def _open_cache() -> SlowCache:
    cache = SlowCache()
    cache.go.set()
    return cache


async def test_a_change_of_one_market_leaves_the_others() -> None:
    """Only its own answers and those over all markets go; leads' own answers do not know their market."""
    cache = _open_cache()
    changes = PlatformChanges(cache)

    await changes.of("properties", "austin")
    assert set(cache.removed) == {"market:austin", "every_market"}
    await changes.of("leads", "austin")
    assert set(cache.removed) == {"market:austin", "every_market", "lead"}


async def test_a_change_without_a_market_removes_the_noun() -> None:
    """And a new average price is part of every listing's answer; interactions may belong to leads of any market."""
    for kind, tags in {
        "leads": {"leads", "lead"}, "properties": {"properties"}, "market-data": {"markets", "properties"},
    }.items():  # fmt: skip
        cache = _open_cache()
        await PlatformChanges(cache).of(kind)
        assert set(cache.removed) == tags
    cache = _open_cache()
    await PlatformChanges(cache).of("interactions", "austin")
    assert set(cache.removed) == {"leads", "lead"}


async def test_everything_is_every_noun() -> None:
    """After a load of data nothing of before is answered."""
    cache = _open_cache()

    await PlatformChanges(cache).everything()

    assert sorted(cache.removed) == ["lead", "leads", "markets", "properties"]


async def test_interactions_of_a_lead_remove_it_once_however_many_come() -> None:
    """While one removal is under way a thousand others wait, and go together as one."""
    cache = SlowCache()
    changes = PlatformChanges(cache)
    first = asyncio.create_task(changes.interactions_of([1]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(changes.interactions_of([2, 2, "02"])) for _ in range(1_000)]
    while len(cache.removed) < 1:
        await asyncio.sleep(0)
    assert cache.removed == ["lead:1"]

    cache.go.set()
    await asyncio.gather(first, *others)

    assert cache.removed == ["lead:1", "lead:2"]


async def test_a_caller_waits_for_a_removal_that_began_after_it() -> None:
    """One that was under way already may have come before the caller's rows."""
    cache = SlowCache()
    changes = PlatformChanges(cache)
    tasks = [asyncio.create_task(changes.interactions_of([1]))]
    while not cache.removed:
        await asyncio.sleep(0)
    tasks.append(asyncio.create_task(changes.interactions_of([1])))
    cache.go.set()
    await asyncio.gather(*tasks)

    assert cache.removed == ["lead:1", "lead:1"]


async def test_a_cancelled_caller_cancels_nobody() -> None:
    """The removal goes on for the others, and for the rows that are stored already."""
    cache = SlowCache()
    changes = PlatformChanges(cache)
    gone, waits = (asyncio.create_task(changes.interactions_of([lead])) for lead in (1, 1))
    while not cache.removed:
        await asyncio.sleep(0)
    gone.cancel()
    cache.go.set()
    await waits

    assert (gone.cancelled(), cache.removed[0]) == (True, "lead:1")


async def test_very_many_leads_are_removed_by_one_tag() -> None:
    """A batch of hundreds of leads costs one message to the other processes."""
    cache = _open_cache()

    await PlatformChanges(cache).interactions_of(range(MOST_LEADS + 1))

    assert cache.removed == ["lead"]


def test_every_way_to_write_a_lead_has_its_tag() -> None:
    """007 and 7 are the same bigint, and a UUID is the same in capitals; another text is itself."""
    assert lead_tag("007") == lead_tag("7") == "lead:7"
    uuid = "0c9fb6c8-5a2e-4f0a-9f5e-0f2f3a1b2c3d"
    assert lead_tag(uuid.upper()) == lead_tag(uuid) == lead_tag(uuid.replace("-", ""))
    assert lead_tag("A-7") != lead_tag("a-7")
