"""The memory tier: bounded, scan resistant, safe from callers and threads, and nothing is left behind."""

from __future__ import annotations

import random
import threading
import tracemalloc
from typing import Any

import pytest

from core.cache.entry import Entry
from core.cache.memory_tier.index import cost_bytes
from core.cache.memory_tier.tier import SWEEP_AT_PUT, FamilySize, MemoryTier
from core.errors import CacheTypeError, UsageError
from tests.cache.entries import entry_of, read
from tests.monitor.manual_clock import ManualClock
from tests.support import wait_until


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


def _tier(clock: ManualClock, max_entries: int = 100, max_bytes: int = 10_000_000) -> MemoryTier:
    return MemoryTier(max_entries=max_entries, max_bytes=max_bytes, clock=lambda: clock.monotonic)


def _entry(clock: ManualClock, key: str, *, size_bytes: int = 100, life: float = 60.0, tags: tuple[str, ...] = ()) -> Entry:
    return entry_of(key, now=clock.monotonic, size_bytes=size_bytes, life=life, tags=tags)


def _check_books(tier: MemoryTier) -> None:
    """Whatever is kept beside the entries says the same as the entries."""
    entries = tier.entries
    queued = {**tier._small._entries, **tier._main._entries}
    assert queued == entries
    assert len(tier._small) + len(tier._main) == len(entries)
    assert all(entry.key == key and entry.in_main == (key in tier._main._entries) for key, entry in entries.items())
    assert len(tier._deadlines) == len(entries)
    stats, sizes = tier.stats(), tier.family_sizes()
    assert stats.size_bytes == sum(map(cost_bytes, entries.values())) <= stats.max_bytes
    assert stats.entries == len(entries) <= stats.max_entries
    families = {entry.family for entry in entries.values()}
    assert set(sizes) == families
    assert sum(size.entries for size in sizes.values()) == len(entries)
    assert sum(size.size_bytes for size in sizes.values()) == stats.size_bytes
    assert set(tier._index.tags()) == {tag for entry in entries.values() for tag in entry.tags}
    for tag in tier._index.tags():
        assert set(tier._index.keys(tag)) == {key for key, entry in entries.items() if tag in entry.tags}
    assert len(tier._ghost) <= stats.max_entries


def test_get_gives_what_was_set(clock: ManualClock) -> None:
    """Falsy values are values; a key that is not held gives the default."""
    tier = _tier(clock)
    for number, value in enumerate([None, 0, "", [], {}, b"", False, {"a": [1]}]):
        tier.set(f"k:{number}", value)
        found = tier.get(f"k:{number}", "default")
        assert found == value
        assert type(found) is type(value)
    assert tier.get("k:other") is None
    assert tier.get("k:other", 3) == 3
    tier.delete("k:1")
    tier.delete("k:1")
    assert tier.get("k:1", 3) == 3
    assert len(tier) == 7


def test_callers_cannot_change_what_is_held(clock: ManualClock) -> None:
    """Neither through the object that was set nor through one that was got."""
    tier, value = _tier(clock), {"rows": [{"a": 1}, {"a": 2}], "meta": {"tags": ["x"]}}
    tier.set("k:1", value)
    value["rows"][0]["a"] = 9
    got = tier.get("k:1")
    got["rows"].clear()
    got["meta"]["tags"].append("y")
    assert tier.get("k:1") == {"rows": [{"a": 1}, {"a": 2}], "meta": {"tags": ["x"]}}


def test_what_cannot_be_cached_is_refused(clock: ManualClock) -> None:
    """A type that JSON changes, a time that is none, a tier without room."""
    tier = _tier(clock)
    with pytest.raises(CacheTypeError):
        tier.set("k:1", (1, 2))
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError):
            tier.set("k:1", 1, ttl_seconds=seconds)
    with pytest.raises(UsageError):
        _tier(clock, max_entries=0)
    assert len(tier) == 0


def test_expired_entries_are_not_returned_and_stay_as_reserve(clock: ManualClock) -> None:
    """Get ends with the logical life, find with the physical one."""
    tier = _tier(clock)
    tier.put(_entry(clock, "k:1"))
    clock.advance(59.9)
    assert tier.get("k:1") == "k:1"
    clock.advance(0.1)
    assert tier.get("k:1") is None
    assert tier.find("k:1") is not None
    clock.advance(60)
    assert tier.find("k:1") is None


def test_entries_whose_time_is_over_go_by_themselves(clock: ManualClock) -> None:
    """A few at each put, so a thousand of them cost no put more than the others."""
    tier = _tier(clock, max_entries=2_000)
    for number in range(1_000):
        tier.put(_entry(clock, f"old:{number}"))
    clock.advance(140)
    for number in range(1_000 // SWEEP_AT_PUT):
        before = len(tier)
        tier.put(_entry(clock, f"new:{number}"))
        assert before - len(tier) == SWEEP_AT_PUT - 1
    assert set(tier.family_sizes()) == {"new"}
    assert tier.stats().evictions == 0
    _check_books(tier)


def test_expire_all_keeps_the_reserve(clock: ManualClock) -> None:
    """Nothing is fresh any more, everything can still be found."""
    tier = _tier(clock)
    tier.put(_entry(clock, "k:1"))
    tier.expire_all()
    assert tier.get("k:1") is None
    found = tier.find("k:1")
    assert found is not None
    assert found.refresh_at <= clock.monotonic
    tier.put(_entry(clock, "k:1"))
    assert tier.get("k:1") == "k:1"


def test_clear_forgets_everything(clock: ManualClock) -> None:
    """Also what was evicted; the table that readers hold is still the same."""
    tier = _tier(clock, max_entries=10)
    table = tier.entries
    for number in range(20):
        tier.put(_entry(clock, f"k:{number}", tags=("t",)))
    tier.clear()
    _check_books(tier)
    assert tier.entries is table
    assert len(tier) == 0
    assert not tier.evicted_recently("k:0")


def test_a_large_entry_is_refused_and_replaces_nothing_by_itself(clock: ManualClock) -> None:
    """It would push out a tenth of the memory; the older value of its key must not outlive it."""
    tier = _tier(clock, max_bytes=100_000)
    tier.put(_entry(clock, "k:1"))
    tier.put(_entry(clock, "k:1", size_bytes=10_000))
    assert len(tier) == 0
    assert tier.stats().refused == 1
    _check_books(tier)


def test_drop_tag(clock: ManualClock) -> None:
    """Every entry with the tag goes, no other does."""
    tier = _tier(clock)
    tier.put(_entry(clock, "k:1", tags=("market:austin", "leads")))
    tier.put(_entry(clock, "k:2", tags=("leads",)))
    tier.put(_entry(clock, "k:3"))
    assert tier.drop_tag("leads") == 2
    assert tier.drop_tag("leads") == 0
    assert list(tier.entries) == ["k:3"]
    assert tier.drop("k:3")
    assert not tier.drop("k:3")
    _check_books(tier)


def test_families_and_their_bytes(clock: ManualClock) -> None:
    """Bytes are those of the value, the key and all that is kept about it."""
    tier = _tier(clock)
    one, two = _entry(clock, "lead:1"), _entry(clock, "lead:2", size_bytes=500, tags=("t",))
    tier.put(one)
    tier.put(two)
    assert tier.family_sizes() == {"lead": FamilySize(entries=2, size_bytes=cost_bytes(one) + cost_bytes(two))}


def test_a_scan_does_not_evict_what_isread(clock: ManualClock) -> None:
    """Ten times the memory of keys that are asked for once leave the hot set where it is."""
    tier = _tier(clock, max_entries=100)
    hot = [f"hot:{number}" for number in range(80)]
    for key in hot * 3:
        if not read(tier, key):
            tier.put(_entry(clock, key))
    for number in range(1_000):
        tier.put(_entry(clock, f"scan:{number}"))
        read(tier, hot[number % 80])
    assert sum(key in tier.entries for key in hot) == 80


def test_a_key_that_comes_back_soon_stays_longer(clock: ManualClock) -> None:
    """What was evicted lately goes to the main queue, and the fill is counted: twice the memory would have answered."""
    tier = _tier(clock, max_entries=10)
    for number in range(11):
        tier.put(_entry(clock, f"k:{number}"))
    assert tier.evicted_recently("k:0")
    assert not tier.evicted_recently("k:1")
    tier.put(_entry(clock, "k:0"))
    assert tier.entries["k:0"].in_main
    assert tier.stats().ghost_hits == 1
    assert not tier.evicted_recently("k:0")


def test_what_would_have_expired_is_no_ghost_hit(clock: ManualClock) -> None:
    """More memory does not answer what its time to live ended."""
    tier = _tier(clock, max_entries=10)
    for number in range(11):
        tier.put(_entry(clock, f"k:{number}"))
    clock.advance(60)
    assert not tier.evicted_recently("k:0")
    tier.put(_entry(clock, "k:0"))
    assert tier.stats().ghost_hits == 0


def test_random_operations_keep_the_books(clock: ManualClock) -> None:
    """Against a plain dict: what is held is always the newest value, within both bounds, and nothing is left behind."""
    chance, tier, model = random.Random(9), _tier(clock, max_entries=60, max_bytes=60_000), {}
    tags = ("a", "b", "c", "d")
    for step in range(20_000):
        key = f"{chance.choice('xyz')}:{int(chance.paretovariate(0.7)) % 150}"
        choice = chance.random()
        if choice < 0.5:
            size, life = chance.choice([0, 100, 500, 2_000, 9_000]), chance.uniform(0.1, 400)
            model[key] = _entry(
                clock, key, size_bytes=size, life=life, tags=tuple(chance.choices(tags, k=chance.randint(0, 3)))
            )
            tier.put(model[key])
        elif choice < 0.85:
            read(tier, key)
        elif choice < 0.93:
            tier.drop(key)
        elif choice < 0.933:
            tier.drop_tag(chance.choice(tags))
        else:
            clock.advance(chance.uniform(0, 5))
        assert tier.entries.get(key) in (None, model.get(key))
        if step % 50 == 0:
            _check_books(tier)
    assert tier.stats().evictions > 1_000
    assert tier.stats().refused > 100
    for key in list(tier.entries):
        tier.drop(key)
    _check_books(tier)


def test_threads_keep_the_books() -> None:
    """Four threads that read, write, drop and invalidate at once lose nothing and raise nothing."""
    tier, failures = MemoryTier(max_entries=200, max_bytes=400_000), []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(8_000):
                key = f"f{chance.randint(0, 3)}:{int(chance.paretovariate(0.8)) % 500}"
                choice = chance.random()
                if choice < 0.6:
                    found = tier.get(key)
                    assert found is None or found == {"key": key, "parts": [key]}
                elif choice < 0.9:
                    tier.set(key, {"key": key, "parts": [key]}, ttl_seconds=chance.choice([0.001, 60]))
                elif choice < 0.98:
                    tier.delete(key)
                else:
                    tier.stats()
                    tier.family_sizes()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test's own thread reports it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,), name=f"hammer-{seed}") for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    _check_books(tier)


@pytest.mark.parametrize("tags", [0, 2])
def test_the_memory_of_entries_is_counted(clock: ManualClock, tags: int) -> None:
    """What the tier says is what tracemalloc sees, to 25 %, once the ghost is as long as the tier."""
    count = 3_000
    tier = _tier(clock, max_entries=count, max_bytes=1_000_000_000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2 * count + 100):
            entry = _entry(clock, f"lead:{number:08d}", size_bytes=0, tags=tuple(f"t{tag}:{number}" for tag in range(tags)))
            entry.refresh_at, entry.gone_at = entry.refresh_at + number / 7, entry.gone_at + number / 3
            tier.put(entry)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tier.stats().size_bytes == pytest.approx(after - before, rel=0.25)


def test_deadlines_leave_nothing_behind(clock: ManualClock) -> None:
    """Keys that are written and dropped with ever other times do not pile up in the wheel."""
    tier: Any = _tier(clock)
    for number in range(2_000):
        tier.put(_entry(clock, "k:1", life=10.0 * number + 1))
    assert len(tier._deadlines._order) < 200
    assert len(tier._deadlines._spokes) == 1


def test_another_limit(clock: ManualClock) -> None:
    """A smaller one evicts at once, in steps, and the books stay right; a larger one takes more again."""
    tier = _tier(clock, max_entries=10_000, max_bytes=2_000_000)
    for number in range(1_000):
        tier.put(_entry(clock, f"k:{number}", size_bytes=1_000))
    before = tier.stats()
    assert tier.limit_to(500_000) == before.entries - len(tier) > 500
    assert tier.stats().max_bytes == 500_000
    _check_books(tier)
    assert tier.limit_to(2_000_000) == 0
    for number in range(1_000):
        tier.put(_entry(clock, f"k:{number}", size_bytes=1_000))
    assert len(tier) == 1_000
    _check_books(tier)
    with pytest.raises(UsageError):
        tier.limit_to(0)


def test_the_last_limit_holds(clock: ManualClock) -> None:
    """One that is given while another thread still evicts for a smaller one ends that, and is not lowered again."""
    tier = _tier(clock, max_entries=30_000, max_bytes=3_000_000_000)
    for number in range(20_000):
        tier.put(_entry(clock, f"k:{number}", size_bytes=100_000))
    lowering = threading.Thread(target=tier.limit_to, args=(1,))
    lowering.start()
    wait_until(lambda: tier.stats().max_bytes < 3_000_000_000)
    tier.limit_to(3_000_000_000)
    lowering.join()
    assert tier.stats().max_bytes == 3_000_000_000
    assert len(tier) > 0
