"""Hit ratio of the memory tier on real traces, beside LRU (cachetools) and W-TinyLFU (theine)."""

from __future__ import annotations

import csv
import gzip
import platform
from importlib.metadata import version
from pathlib import Path

import pytest
from cachetools import LRUCache
from theine import Cache

from core.cache.memory_tier.tier import READMIT_SHARE, SMALL_SHARE, MemoryTier
from tests.cache.entries import entry_of, read

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "cache"
TRACES = {  # The file, its column of keys, and the points that may be missing at 1 % and at 10 % of the unique keys.
    "web12": ("cache2k_web12.csv.gz", "key", (0.0, 0.0)),
    "web07": ("cache2k_web07.csv.gz", "key", (0.0, 0.0)),
    "orm-busy": ("cache2k_orm-busy_first500k.csv.gz", "key", (0.0, 0.0)),
    "nasa": ("nasa_http_19950801.csv", "url", (0.5, 0.0)),
}
THEINE_RUNS = 5  # Its admission depends on Python's random hashes of str: from run to run it differs by up to a point.

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the traces are not beside the repository: {DATA.name}/ in ../shared/data"
)


@pytest.mark.parametrize("name", TRACES)
def test_hit_ratio(name: str) -> None:
    """Points of hit ratio from cold over the whole trace, at 1 % and 10 % of the unique keys; one set of parameters."""
    keys = _keys(name)
    unique = len(set(keys))
    print(
        f"\n{name}: {len(keys)} reads of {unique} keys; Python {platform.python_version()}, cachetools {version('cachetools')},"
    )
    print(f"theine {version('theine')}; small queue {SMALL_SHARE:.0%}, comes back to the main queue within {READMIT_SHARE:.0%}")
    for share, allowed in zip((0.01, 0.1), TRACES[name][2], strict=True):
        size = int(unique * share)
        ours, estimate = _memory_tier(keys, size)
        doubled, _ = _memory_tier(keys, 2 * size)
        lru, runs = _lru(keys, size), sorted(_theine(keys, size, run) for run in range(THEINE_RUNS))
        theine = runs[THEINE_RUNS // 2]
        print(
            f"  {share:4.0%} = {size:5} entries: ours {ours:.2f}, LRU {lru:.2f}, theine {theine:.2f} of",
            [round(run, 2) for run in runs],
        )
        print(f"       twice the memory: +{doubled - ours:.2f}; the ghost says +{estimate:.2f}")
        assert ours >= max(lru, theine) - allowed


def _memory_tier(keys: list[str], size: int) -> tuple[float, float]:
    """The hit ratio, and what the ghost says that twice the memory would add."""
    tier, hits = MemoryTier(max_entries=size, max_bytes=2**62, clock=lambda: 0.0), 0
    for key in keys:
        if read(tier, key):
            hits += 1
        else:
            tier.put(entry_of(key, now=0.0))
    return 100 * hits / len(keys), 100 * tier.stats().ghost_hits / len(keys)


def _lru(keys: list[str], size: int) -> float:
    cache: LRUCache[str, bool] = LRUCache(size)
    hits = 0
    for key in keys:
        if key in cache:
            hits += cache[key]
        else:
            cache[key] = True
    return 100 * hits / len(keys)


def _theine(keys: list[str], size: int, run: int) -> float:
    """The run is a suffix of the keys, so that each has other hashes."""
    cache, hits, names = Cache(size), 0, {key: f"{key}#{run}" for key in set(keys)}
    try:
        for key in keys:
            if cache.get(names[key])[1]:
                hits += 1
            else:
                cache.set(names[key], True)
    finally:
        cache.close()
    return 100 * hits / len(keys)


def _keys(name: str) -> list[str]:
    file, column, _ = TRACES[name]
    path = DATA / file
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return [row[column] for row in csv.DictReader(lines)]
