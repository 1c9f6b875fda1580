"""Tags: the generation of each tag, as far as this process knows it.

Owns the rule that an entry is valid while the generations of its tags are those of when its load began. What Redis says is kept
only while the bus is heard, since only the bus says that it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from core.cache.coherence.recent import RecentChanges
from core.cache.entry import Stored
from core.cache.families import family_of

EVERYTHING = "*"  # A tag that every value carries.
MAX_TAGS = 100_000  # About 20 MB; beyond it all are forgotten and asked for again.

Fetch = Callable[[Sequence[str]], Coroutine[Any, Any, dict[str, int]]]


def family_tag(family: str) -> str:
    """The tag that every value of a family carries."""
    return f"{EVERYTHING}:{family}"


def tags_of(key: str, tags: Sequence[str]) -> tuple[str, ...]:
    """All tags of a value: its own, and those of its family and of everything."""
    return (*tags, family_tag(family_of(key)), EVERYTHING)


def own_tags(stored: Stored) -> tuple[str, ...]:
    """The tags that a value was given."""
    return tuple(tag for tag, _ in stored.generations if not tag.startswith(EVERYTHING))


class Tags:
    """Bound to one event loop."""

    def __init__(self, fetch: Fetch, recent: RecentChanges) -> None:
        self._fetch = fetch
        self._recent = recent
        self._generations: dict[str, int] = {}
        self.linked = False

    async def generations(self, tags: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """The generation of each tag now; raises DependencyError when Redis must be asked and does not answer."""
        known = {tag: self._generations[tag] for tag in tags if tag in self._generations}
        missing = [tag for tag in tags if tag not in known]
        if missing:
            mark = self._recent.mark()
            fetched = await self._fetch(missing)
            known |= fetched
            # A tag that changed while it was asked for may be older in the answer than on the bus.
            self._keep({tag: fetched[tag] for tag in missing if self._recent.may_store(mark, "", 0, ((tag, fetched[tag]),))})
        return tuple((tag, known[tag]) for tag in tags)

    async def valid(self, stored: Stored) -> bool:
        """Whether no tag of this value was invalidated since its load began."""
        known = self._generations
        for tag, number in stored.generations:
            if known.get(tag) != number:
                break
        else:
            return True
        return await self.generations([tag for tag, _ in stored.generations]) == stored.generations

    async def invalid_ones(self, found: Mapping[str, Stored]) -> set[str]:
        """The keys whose values are not valid: asks for all tags at once."""
        known, doubtful = self._generations, {}
        last: object = None
        for key, stored in found.items():
            # Values with the same tags mostly share one tuple.
            if stored.generations is last:
                continue
            if all(known.get(tag) == number for tag, number in stored.generations):
                last = stored.generations
            else:
                doubtful[key] = stored.generations
        if not doubtful:
            return set()
        now = set(await self.generations(list({tag for pairs in doubtful.values() for tag, _ in pairs})))
        return {key for key, pairs in doubtful.items() if not now.issuperset(pairs)}

    def changed(self, tag: str, generation: int) -> None:
        """The bus, or this process, says that a tag has a new generation; 0: it must be asked for."""
        if generation:
            self._keep({tag: generation})
        else:
            self._generations.pop(tag, None)

    def has(self, tag: str, generation: int) -> bool:
        """Whether this is the generation that is known."""
        return self._generations.get(tag) == generation

    def forget_all(self) -> None:
        """Ask again for every tag."""
        self._generations.clear()

    def _keep(self, generations: dict[str, int]) -> None:
        if not self.linked:
            return
        if len(self._generations) + len(generations) > MAX_TAGS:
            self._generations.clear()
        self._generations.update(generations)
