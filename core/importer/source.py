"""Source: the rows of a file, one after another, each with the physical line on which it starts.

Owns what makes a file unreadable as a whole: a wrong encoding, a quoted field that never ends, a damaged archive. Memory holds
one row; a row of a wrong shape is reported as such and the reading goes on.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from core.errors import ImportFileError
from core.importer.dialect import open_bytes
from core.importer.reports import Dialect

LINE_MOST = 1024 * 1024  # Characters; a longer line is a file without line breaks.
FIELD_MOST = 131_072  # The csv module's own limit.
COLUMNS_MOST = 1_600  # PostgreSQL's own limit of a table.
FAULTY = "The file was not imported: nothing of it was loaded."


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, or in `fault` why it has none that can be used; `line` counts from 1."""

    line: int
    cells: Sequence[str]
    fault: str = ""


class Source:
    """One open file; iterate it for its rows, the header excluded."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path, self._dialect = path, dialect
        self._tape = _Tape(path.name)
        self.columns: tuple[str, ...] = ()
        self.notes: list[str] = []
        self._raw: IO[bytes] | None = None

    def __enter__(self) -> Source:
        try:
            self._raw = self._path.open("rb")
        except OSError as error:
            raise ImportFileError(
                f"{self._path} cannot be read: {error.strerror}.", "Check its path and its rights."
            ) from error
        unpacked = open_bytes(self._path, self._raw, compressed=self._dialect.compressed)
        self._tape.lines = io.TextIOWrapper(unpacked, self._dialect.encoding, newline="")
        self._reader = csv.reader(self._tape, delimiter=self._dialect.delimiter, strict=True)
        try:
            self.columns = self._header()
        except BaseException:
            self._raw.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._raw is not None:
            self._raw.close()

    @property
    def bytes_read(self) -> int:
        """Bytes of the file on the disk, the buffer's included; never more than its size."""
        return self._raw.tell() if self._raw is not None else 0

    @property
    def characters_read(self) -> int:
        """Characters of the text."""
        return self._tape.characters

    def __iter__(self) -> Iterator[Row]:
        width = len(self.columns)
        for row in self._rows():
            cells = row.cells
            if len(cells) == width or row.fault:
                yield row
            elif len(cells) > width and not any(cells[width:]):
                yield Row(row.line, cells[:width])
            else:
                yield Row(row.line, cells, f"has {len(cells)} fields, the header has {width}")
        if self._tape.last and not self._tape.last.endswith(("\n", "\r")):
            self.notes.append("The file does not end with a line break: its last row may be cut off.")

    def _rows(self) -> Iterator[Row]:
        """Every row that is not blank, header included."""
        reader, tape = self._reader, self._tape
        while True:
            line, tape.row = reader.line_num + 1, []
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._refuse_open_quote(line, str(error))
                yield Row(line, ["".join(tape.row).rstrip("\r\n")], f"is not valid CSV: {error}")
                continue
            except UnicodeDecodeError as error:
                near = f"after line {reader.line_num}"
                raise ImportFileError(
                    f"{self._path.name} is not written in {self._dialect.encoding}: {error.reason} {near}.",
                    "Name the right encoding, such as cp1252 or latin-1, and repeat. Nothing was loaded.",
                ) from error
            except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
                raise ImportFileError(
                    f"{self._path.name} breaks off or is damaged after line {reader.line_num}: {error}",
                    "Transfer it again and repeat. Nothing was loaded.",
                ) from error
            if cells:
                yield Row(line, cells)

    def _refuse_open_quote(self, line: int, message: str) -> None:
        if "unexpected end of data" in message:
            raise ImportFileError(
                f"{self._path.name} ends inside a quoted field of the row that starts on line {line}: it is cut off.",
                f"Transfer it again and repeat. {FAULTY}",
            )
        if "field larger than field limit" in message:
            raise ImportFileError(
                f"A quote is opened in the row that starts on line {line} and not closed within {FIELD_MOST:,} characters.",
                f"Correct that line, or name the right delimiter. {FAULTY}",
            )

    def _header(self) -> tuple[str, ...]:
        first = next(self._rows(), None)
        if first is None or first.fault:
            fault = f"Its first line {first.fault}" if first else "It has no line"
            raise ImportFileError(f"{self._path.name} has no header that can be read. {fault}.", "Give each column a name.")
        if len(first.cells) > COLUMNS_MOST:
            raise ImportFileError(f"{self._path.name} has {len(first.cells):,} columns.", "Name the right delimiter.")
        names: list[str] = []
        for number, cell in enumerate(first.cells, 1):
            name = cell.replace("\0", "").strip().removeprefix("\ufeff")
            names.append(self._unique(name or f"column_{number}", names, unnamed=not name))
        return tuple(names)

    def _unique(self, name: str, taken: list[str], *, unnamed: bool) -> str:
        if unnamed:
            self.notes.append(f"Column {len(taken) + 1} has no name in the file; it is called {name} here.")
        if name not in taken:
            return name
        number = 2
        while f"{name}_{number}" in taken:
            number += 1
        self.notes.append(
            f"The name {name} occurs twice in the header; column {len(taken) + 1} is called {name}_{number} here."
        )
        return f"{name}_{number}"


class _Tape:
    """The lines on their way to the csv reader: bounded, counted, and kept as long as their row is being read."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self.lines: io.TextIOWrapper = io.TextIOWrapper(io.BytesIO())
        self.row: list[str] = []
        self.last = ""
        self.characters = 0

    def __iter__(self) -> _Tape:
        return self

    def __next__(self) -> str:
        line = self.lines.readline(LINE_MOST)
        if not line:
            raise StopIteration
        if len(line) == LINE_MOST and not line.endswith(("\n", "\r")):
            raise ImportFileError(
                f"{self._file_name} has a line of more than {LINE_MOST:,} characters: it is no CSV file.",
                "Export the table as CSV, one row to a line, and import that.",
            )
        self.row.append(line)
        self.last = line
        self.characters += len(line)
        return line
