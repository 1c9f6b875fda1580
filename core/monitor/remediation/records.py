"""RemedyRecords: what operators said of running a remedy by itself, in the console's store.

Owns its rows. The runs themselves are operations, and are read from there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict

from core.monitor.remediation.book import Choice, to_choice
from core.ports import Rows

log = logging.getLogger(__name__)


class RemedyRecords:
    """Raises DependencyError, QueryError or SchemaError."""

    def __init__(self, store: Rows) -> None:
        self._store = store

    async def load(self) -> Sequence[Choice]:
        """Every choice that can be read."""
        found = []
        for row in await self._store.fetch_all("remedies"):
            try:
                found.append(to_choice(row["document"]))
            except TypeError as error:
                log.warning("remedy_document_unreadable error=%r", str(error))
        return found

    async def write(self, unwritten: dict[str, Choice]) -> None:
        """Store all of it; what was stored is taken out, unless it has changed meanwhile."""
        for name, choice in tuple(unwritten.items()):
            await self._store.execute("remedy_put", name, asdict(choice))
            if unwritten.get(name) is choice:
                del unwritten[name]
