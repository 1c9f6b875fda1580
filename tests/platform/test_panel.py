"""Kept: one load for all who ask, and the last good value while a server is down."""

from __future__ import annotations

import asyncio

from core.errors import DependencyDown
from core.platform.panel import Kept


class Loader:
    """Counts its loads and fails when it is told to."""

    def __init__(self) -> None:
        self.loads = 0
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> int:
        await self.gate.wait()
        self.loads += 1
        if self.down:
            raise DependencyDown("gone", "Start it.")
        return self.loads


async def test_many_who_ask_share_one_load() -> None:
    """A hundred viewers cost one query."""
    loader = Loader()
    kept = Kept(loader, max_age_seconds=60)

    panels = await asyncio.gather(*(kept.get() for _ in range(100)))

    assert ({panel.value for panel in panels}, loader.loads) == ({1}, 1)


async def test_an_outage_keeps_the_value_and_tells_its_age_and_error() -> None:
    """The page goes on showing what was true, and says so."""
    loader = Loader()
    kept = Kept(loader, max_age_seconds=0)
    await kept.get()
    loader.down = True

    panel = await kept.get()

    assert (panel.value, panel.error, panel.next_step, panel.age_seconds > 0) == (1, "gone", "Start it.", True)


async def test_the_value_returns_with_the_server() -> None:
    """A failure is not remembered for as long as a value is."""
    loader = Loader()
    loader.down = True
    kept = Kept(loader, max_age_seconds=60)
    assert (await kept.get()).value is None
    loader.down = False

    panel = await kept.get()

    assert (panel.value, panel.error) == (2, "")


async def test_a_server_that_hangs_costs_no_more_than_the_timeout() -> None:
    """The panel says so instead of waiting."""
    loader = Loader()
    loader.gate.clear()
    kept = Kept(loader, max_age_seconds=60, timeout_seconds=0.05)

    panel = await kept.get()

    assert (panel.value, "0.05 s" in panel.error) == (None, True)
