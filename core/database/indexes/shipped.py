"""IndexSet: the shipped performance indexes, read out of the revisions in `alembic/platform/`.

A revision that has a module constant `INDEX` is one index; whoever adds such a file adds an index to every list and command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from alembic.script import ScriptDirectory

from core.database.indexes.notes import IndexNotes
from core.database.migrations import alembic_config
from core.errors import UsageError


class IndexSet:
    """The notes of every index branch, in the order of their revisions; the files are read when they are first asked for."""

    def __init__(self, notes: Sequence[IndexNotes] | None = None) -> None:
        self._given = notes

    @cached_property
    def _notes(self) -> dict[str, IndexNotes]:
        notes = _shipped() if self._given is None else self._given
        return {item.name: item for item in sorted(notes, key=lambda item: item.revision)}

    def choose(self, names: Sequence[str]) -> tuple[IndexNotes, ...]:
        """The notes of these names, in the set's order; of all when there is none. Raises UsageError."""
        if unknown := [name for name in names if name not in self._notes]:
            raise UsageError(f"There is no index {', '.join(unknown)} in the set.", f"Choose from: {', '.join(self._notes)}.")
        return tuple(item for item in self if not names or item.name in names)

    def __getitem__(self, name: str) -> IndexNotes:
        return self.choose([name])[0]

    def __iter__(self) -> Iterator[IndexNotes]:
        return iter(self._notes.values())

    def __len__(self) -> int:
        return len(self._notes)


def _shipped() -> list[IndexNotes]:
    scripts = ScriptDirectory.from_config(alembic_config("platform")).walk_revisions()
    return [script.module.INDEX for script in scripts if hasattr(script.module, "INDEX")]
