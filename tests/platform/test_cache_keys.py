"""Keys for a person: pages, one key in both tiers, how far an invalidation goes, and the actions with their record."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from redis import Redis

from core.cache.entry import ABSENT
from core.cache.families import Family
from core.errors import OperationError, TargetError, UsageError
from core.platform.cache_operations import Scope
from core.services import Services, build_services
from core.settings import Settings
from tests.support import wait_until_async

LOADS: list[str] = []  # Of the family `good`, in the test that runs now.


@pytest.fixture
async def linked(services: Services) -> Services:
    """Open services that are set up, whose cache hears itself, with a family that counts its loads."""
    LOADS.clear()

    async def load(rest: str) -> bytes:
        LOADS.append(rest)
        if rest == "broken":
            raise UsageError("It is broken.", "Mend it.")
        return b'{"loads": %d}' % len(LOADS)

    services.cache.families.add(
        Family(name="good", title="Good", load=load, ttl_seconds=60.0, tags=lambda rest: (f"of:{rest}",))
    )
    await wait_until_async(lambda: services.cache.stats().link.state == "found" and services.setup.finished.is_set())
    return services


async def test_a_key_is_told_from_both_tiers(linked: Services) -> None:
    """Value, tags, life and version; JSON in bytes is shown as JSON."""
    await linked.cache.fetch("good:1")

    detail = (await linked.cache_keys.detail("good:1")).value

    assert detail is not None
    assert detail.info is not None
    assert detail.memory is not None
    assert (detail.text, detail.is_json, detail.tags, detail.valid) == ('{\n  "loads": 1\n}', True, ("of:1",), True)
    assert 0 < (detail.fresh_seconds or 0) <= 60
    assert detail.name in detail.commands[0]
    await linked.cache.invalidate("of:1")
    gone = (await linked.cache_keys.detail("good:1")).value
    assert gone is not None
    assert (gone.valid, gone.memory) == (False, None)


async def test_values_of_every_kind_are_shown_within_bounds(linked: Services) -> None:
    """Absence in words, bytes that are no text, a long value cut, a huge one not fetched, a key that is nowhere."""

    async def absent() -> object:
        return ABSENT

    await linked.cache.get_or_load("good:absent", absent)
    await linked.cache.set("good:bytes", b"\xff\x00")
    await linked.cache.set("good:long", ["word"] * 10_000)
    await linked.cache.set("good:huge", bytes(range(256)) * 2_000)
    Redis.from_url(str(linked.settings.redis_url)).set(linked.redis.keys.value("good:poisoned"), b"no envelope")
    notes = {}
    for name in ("absent", "bytes", "long", "huge", "poisoned", "nowhere"):
        linked.cache._parts.memory.drop(f"good:{name}")
        detail = (await linked.cache_keys.detail(f"good:{name}")).value
        assert detail is not None
        notes[name] = (len(detail.text), detail.note)

    assert "no such thing" in notes["absent"][1]
    assert notes["bytes"] == (len("\\xff\x00"), "")
    assert (notes["long"][0], "of 100,0" in notes["long"][1]) == (20_000, True)
    assert notes["huge"][0] <= 20_000
    assert "no value that the cache wrote" in notes["poisoned"][1]
    assert "Neither" in notes["nowhere"][1]


async def test_the_reach_of_an_invalidation(linked: Services) -> None:
    """Keys with the tag, what of memory they take and what their loads took; nothing is left after it."""
    for number in range(20):
        await linked.cache.fetch(f"good:{number}")
    await linked.cache.set("lead:1", "other")
    reach = {scope.tag: (await linked.cache_keys.reach(scope.tag)).value for scope in (
        Scope("tag", "of:3"), Scope("family", "good"), Scope("everything"), Scope("tag", "unknown"),
    )}  # fmt: skip

    assert [(item.keys, item.memory_entries) for item in reach.values() if item] == [(1, 1), (20, 20), (21, 21), (0, 0)]
    everything = reach["*"]
    assert everything is not None
    assert (everything.complete, everything.memory_share) == (True, 1.0)
    assert everything.load_seconds > 0
    await linked.cache_operations.invalidate(Scope("family", "good"), typed="good", operator="ann")
    left = (await linked.cache_keys.reach("*:good")).value
    assert left is not None
    assert (left.keys, left.memory_entries) == (0, 0)


async def test_every_action_is_remembered_with_what_it_ran(linked: Services) -> None:
    """Who, what and the lines; a refresh loads anew, a delete removes from both tiers."""
    await linked.cache.fetch("good:1")
    await linked.cache_operations.refresh("good:1", operator="ann")
    assert (await linked.cache.fetch("good:1"), len(LOADS)) == (b'{"loads": 2}', 2)
    await linked.cache_operations.delete("good:1", operator="ben")
    detail = (await linked.cache_keys.detail("good:1")).value
    assert detail is not None
    assert (detail.info, detail.memory) == (None, None)

    newest, before = await linked.operations.list(kind="cache")
    assert (newest.title, newest.operator, newest.state) == ("Delete good:1", "ben", "done")
    assert (before.title, before.operator) == ("Refresh good:1", "ann")
    assert any("DEL" in line for line in newest.commands)


async def test_an_action_that_fails_says_why(linked: Services) -> None:
    """A loader that fails, a word that was not typed, what is no tag and a key without a loader."""
    operations = linked.cache_operations
    with pytest.raises(OperationError, match="It is broken"):
        await operations.refresh("good:broken", operator="ann")
    with pytest.raises(TargetError, match="not invalidated"):
        await operations.invalidate(Scope("everything"), typed="everythin", operator="ann")
    with pytest.raises(UsageError, match="no tag"):
        await operations.invalidate(Scope("tag", "*"), typed="*", operator="ann")
    with pytest.raises(UsageError, match="no loader"):
        await operations.refresh("nobody:1", operator="ann")


async def test_the_lines_to_copy_do_the_same(linked: Services) -> None:
    """In a shell they delete the key and invalidate the tag, and every process hears it."""
    await linked.cache.fetch("good:1")
    await linked.cache.fetch("good:2")
    lines = (
        *linked.cache_operations.delete_commands("good:1"),
        *linked.cache_operations.invalidate_commands(Scope("tag", "of:2")),
    )
    with Redis.from_url(str(linked.settings.redis_url)) as client:
        for line in lines:
            _as_a_shell(client, line)

    memory = linked.cache._parts.memory
    await wait_until_async(lambda: memory.find("good:1") is None and memory.find("good:2") is None)
    detail = (await linked.cache_keys.detail("good:2")).value
    assert detail is not None
    assert detail.valid is False


def _as_a_shell(client: Redis, line: str) -> None:
    """What a shell makes of the words of a line, given to Redis; redis-cli itself is not everywhere."""
    if not line.startswith("redis-cli"):
        return
    script = f'redis-cli() {{ shift 2; [ "$1" != -n ] || shift 2; printf \'%s\\0\' "$@"; }}; NEW=1abc; {line}'
    words = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout.split(b"\0")[:-1]
    client.execute_command(*words)


async def test_a_watched_redis_is_left_alone(settings: Settings) -> None:
    """Keys can be looked at; nothing is done."""
    async with build_services(settings) as services:
        await wait_until_async(services.setup.finished.is_set)
        await services.cache.set("lead:1", "value")
    async with build_services(replace(settings, mode="watch")) as services:
        page = (await services.cache_keys.page("lead:", 0)).value
        assert page is not None
        assert [info.key for info in page.keys] == ["lead:1"]
        for act in (services.cache_operations.delete, services.cache_operations.refresh):
            with pytest.raises((TargetError, UsageError)):
                await act("lead:1", operator="ann")
        with pytest.raises(TargetError, match="MODE=watch"):
            await services.cache_operations.delete("lead:1", operator="ann")


async def test_keys_of_others_are_listed_and_nothing_more(linked: Services) -> None:
    """With their type, and whose they are."""
    client = Redis.from_url(str(linked.settings.redis_url))
    client.lpush("session:1", "x")
    await linked.cache.set("lead:1", "value")

    page = (await linked.cache_keys.everybody("*", 0)).value

    assert page is not None
    found = {key.name: (key.type, key.ours) for key in page.keys}
    assert found["session:1"] == ("list", False)
    assert found[linked.redis.keys.value("lead:1")] == ("string", True)
