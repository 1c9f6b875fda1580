"""IndexShape: what of an index decides which other one does the same work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexShape:
    """An index of one table: `parts` are columns with operator class, collation, order; the first `key_count` are keys."""

    name: str
    method: str
    unique: bool
    parts: tuple[str, ...]
    key_count: int
    predicate: str

    def same_as(self, other: IndexShape) -> bool:
        """Whether both hold the same entries in the same order."""
        return self.method == other.method and (self.parts, self.key_count, self.predicate) == (
            other.parts, other.key_count, other.predicate,
        )  # fmt: skip

    def covered_by(self, other: IndexShape) -> bool:
        """Whether the other one, which has more columns, serves every query that this one serves."""
        if self.method != "btree" or other.method != "btree" or self.unique or self.predicate != other.predicate:
            return False
        keys, more = self.parts[: self.key_count], set(self.parts[self.key_count :])
        names = {part.split(" ", 1)[0] for part in other.parts} | set(other.parts)
        return (
            not self.same_as(other)
            and other.parts[: len(keys)] == keys
            and other.key_count >= len(keys)
            and all(part in names or part.strip() in names for part in more)
        )


def shape_of(row: Any) -> IndexShape:
    """The shape of a row of `index_list`."""
    return IndexShape(
        name=row["index_name"], method=row["method"], unique=row["is_unique"], parts=tuple(row["parts"]),
        key_count=row["key_count"], predicate=row["predicate"],
    )  # fmt: skip
