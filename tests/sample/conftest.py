"""The shipped files and the figures drawn from them, read once a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from core.sample.files import SampleFiles, read_files
from core.sample.generator import PERIOD_SECONDS, Generator, Levels, levels
from core.sample.size import SampleSize

NOW = datetime(2026, 3, 4, 15, 30, 12, 345678, tzinfo=UTC)


@pytest.fixture(scope="session")
def files() -> SampleFiles:
    return read_files()


@pytest.fixture(scope="session")
def market_levels(files: SampleFiles) -> Levels:
    return levels(files)


@pytest.fixture
def make_generator(market_levels: Levels) -> Callable[..., Generator]:
    """Makes a generator of the year up to NOW."""

    def make(leads: int, interactions: int, properties: int, seed: int = 7) -> Generator:
        end = NOW.timestamp()
        size = SampleSize(leads, interactions, properties)
        return Generator(market_levels, size, seed=seed, start=end - PERIOD_SECONDS, end=end)

    return make


@pytest.fixture(scope="session")
def default_tables(market_levels: Levels) -> dict[str, pa.Table]:
    """All rows of the default size."""
    end = NOW.timestamp()
    generator = Generator(market_levels, SampleSize(20_000, 150_000, 10_000), seed=7, start=end - PERIOD_SECONDS, end=end)
    return {table: pa.Table.from_batches(generator.batches(table)) for table in ("leads", "lead_interactions", "properties")}
