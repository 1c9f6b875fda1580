"""IndexNotes: what a revision says of the one index that it builds, readable by machines.

Owns the exact statements. The definition is written as PostgreSQL writes it (`pg_get_indexdef` after the table's name), so that
what is there is compared with what is meant by comparing two texts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexNotes:
    """One performance index: the named queries that it serves, why, and how it is built and taken back.

    `intents` are the numbers of docs/decisions/0013-indexes.md; `definition` begins with USING.
    """

    revision: str
    name: str
    table: str
    definition: str
    serves: tuple[str, ...]
    why: str
    intents: tuple[int, ...]

    @property
    def create_statement(self) -> str:
        """What builds it beside running writes; without IF NOT EXISTS, which would take a broken leftover for the index."""
        return f"CREATE INDEX CONCURRENTLY {self.name} ON {self.table} {self.definition}"

    @property
    def take_back(self) -> str:
        """What drops it beside running reads and writes; no row is lost, and it can be built again."""
        return f"DROP INDEX CONCURRENTLY {self.name}"
