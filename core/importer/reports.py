"""What an import is asked to do, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# The first reasons are enough to see what is wrong; all of them are in the file.
REASONS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """One file and how it is read; `mapping` has parts such as 'price=list_price', 'status=:sold' or 'external_id=#row-'."""

    kind: str
    path: Path
    name: str = ""
    mapping: tuple[str, ...] = ()
    preset: str | None = None
    market: str | None = None
    create_market: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    date_format: str | None = None
    decimal: str = "."
    words: tuple[str, ...] = ()
    rejected_path: Path | None = None
    dry_run: bool = False

    @property
    def file_name(self) -> str:
        """What the operator calls the file."""
        return self.name or self.path.name


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written; `detected` says which of it was found out rather than told."""

    encoding: str
    delimiter: str
    compressed: bool
    detected: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """One line of the mapping: a field, where its value comes from, and a value of the file with what became of it."""

    field: str
    type: str
    origin: str
    required: bool
    example: str = ""
    becomes: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that cannot be imported: the line on which it starts, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What the first rows of a file look like and become."""

    kind: str
    dialect: Dialect
    columns: tuple[str, ...]
    mapping: tuple[Mapped, ...]
    unused_columns: tuple[str, ...]
    rows: tuple[Mapping[str, str | None], ...]
    rows_seen: int
    rejected_seen: int
    rejected: tuple[Rejection, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or with `dry_run` would do; rows are those of the file but `inserted`, which are rows of the table.

    `good` rows of the table were read from the file, and `good = inserted + repeated_in_file + already_there`.
    """

    kind: str
    table: str
    file: str
    dry_run: bool
    read: int
    good: int
    inserted: int
    repeated_in_file: int
    already_there: int
    rejected: int
    reasons: tuple[Rejection, ...] = ()
    rejected_path: str | None = None
    notes: tuple[str, ...] = ()
    markets_created: tuple[str, ...] = ()
    dialect: Dialect | None = None
    mapping: tuple[str, ...] = field(default=())
    market: str | None = None  # The one of all rows; None: the rows say it.
    duration_seconds: float = 0.0

    @property
    def rows_per_second(self) -> float:
        """Rows of the file over the whole time."""
        return self.read / self.duration_seconds if self.duration_seconds else 0.0
