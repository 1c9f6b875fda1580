"""Markets: which market a cell means.

Owns the rule that an import makes no market by itself: a misspelt city would become one. One is made only when it is asked for
by name and state, in the same transaction as the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import ImportFileError
from core.importer.words import plain


@dataclass(frozen=True, slots=True)
class Market:
    """A market: its slug, name and state."""

    id: str
    name: str
    state: str


class Markets:
    """The markets that there are; with `any_name` every name counts as one, for a preview without a database."""

    def __init__(self, markets: Iterable[Market], *, any_name: bool = False) -> None:
        self._any_name = any_name
        self._by_name: dict[str, list[Market]] = {}
        for market in markets:
            for name in {plain(market.id), plain(market.name)}:
                self._by_name.setdefault(name, []).append(market)

    def find(self, text: str, state: str = "") -> str | None:
        """The slug of the one market of this slug or name, in this state where two letters name one; None without."""
        name = plain(text)
        found = self._by_name.get(name, [])
        if len(state) == 2:
            found = [market for market in found if market.state.upper() == state.upper()]
        if len(found) == 1:
            return found[0].id
        return name or None if self._any_name and not self._by_name else None

    def require(self, text: str) -> str:
        """The slug; raises ImportFileError that names the markets."""
        slug = self.find(text)
        if slug is None:
            known = ", ".join(sorted({market.id for found in self._by_name.values() for market in found})) or "none yet"
            raise ImportFileError(
                f"There is no market {text!r}.",
                f"The markets are: {known}. To make one, add --create-market 'Name, ST'.",
            )
        return slug


def market_of(text: str, slug: str | None) -> Market:
    """A market to be made, from 'Name, ST'; raises ImportFileError."""
    name, _, state = (part.strip() for part in text.rpartition(","))
    made = slug or plain(name)
    if not name or len(name) > 100 or not name.isprintable() or not re.fullmatch(r"[A-Za-z]{2}", state):
        raise ImportFileError(f"{text!r} does not name a market.", "Write its name and its state in two letters: 'Austin, TX'.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", made):
        raise ImportFileError(
            f"{made!r} cannot be the slug of a market.", "Use small letters, digits and _: --market san_antonio."
        )
    return Market(made, name, state.upper())
