"""Changes: what leaves the cache when the platform's data changes.

Owns which tags a change removes. A cache that is away fails no change: what did not arrive is replayed when it is back, and
until then nothing old is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from core.platform.tags import LEAD, LEADS, MARKETS, PROPERTIES, lead_tag, market_tag

NOUN_TAGS: dict[str, tuple[str, ...]] = {
    "leads": (LEADS, LEAD),
    "interactions": (LEADS, LEAD),
    "properties": (PROPERTIES,),
    "market-data": (MARKETS, PROPERTIES),  # A listing is answered with its market's name and average price.
}
# Beyond this one tag for all leads costs less than one for each.
MOST_LEADS = 100


class Invalidates(Protocol):
    """What a change needs of the cache."""

    async def invalidate(self, tag: str) -> None:
        """Remove whatever has this tag; raises nothing for an outage."""
        ...


class PlatformChanges:
    """Removes from the cache what a change has made old; bound to one event loop."""

    def __init__(self, cache: Invalidates) -> None:
        self._cache = cache
        self._waiting: set[str] = set()
        self._turn: asyncio.Task[None] | None = None

    async def everything(self) -> None:
        """Any row of the platform may have changed."""
        await self._invalidate({tag for tags in NOUN_TAGS.values() for tag in tags})

    async def of(self, kind: str, market: str | None = None) -> None:
        """Rows of one kind of import have changed; with `market`, only rows of that one."""
        if market is None or kind == "interactions":
            await self._invalidate(NOUN_TAGS[kind])
            return
        details = (LEAD,) if kind == "leads" else ()  # A lead's own answer does not know its market.
        await self._invalidate((market_tag(market), market_tag(None), *details))

    async def interactions_of(self, lead_ids: Iterable[object]) -> None:
        """These leads have new interactions; lists keep theirs until they expire.

        Returns when they are removed. What comes while one removal is under way waits and is removed together, each lead once.
        """
        self._waiting.update(lead_tag(str(lead_id)) for lead_id in lead_ids)
        if self._turn is not None and not self._turn.done():
            await asyncio.shield(self._turn)  # It may have begun before ours were added.
        if self._turn is None or self._turn.done():
            self._turn = asyncio.create_task(self._remove_waiting(), name="invalidate-leads")
        await asyncio.shield(self._turn)

    async def _remove_waiting(self) -> None:
        waiting, self._waiting = self._waiting, set()
        await self._invalidate(waiting if len(waiting) <= MOST_LEADS else (LEAD,))

    async def _invalidate(self, tags: Iterable[str]) -> None:
        await asyncio.gather(*(self._cache.invalidate(tag) for tag in tags))
