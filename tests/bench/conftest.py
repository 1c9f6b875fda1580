"""Fixtures of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.large_platform import LargePlatform, large_platform


@pytest.fixture(scope="session")
def platform() -> Iterator[LargePlatform]:
    """A million leads, without any index but the keys."""
    with large_platform() as opened:
        yield opened
