"""Rejects: the file of rejected rows, with line, reason and the original fields.

Owns that the file is there whole or not at all: it is written beside its place and renamed as the last step before the commit.
"""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from core.errors import ImportFileError
from core.importer.reports import REASONS_SHOWN, Rejection

BUFFER_BYTES = 256 * 1024


class Rejects:
    """Counts rejected rows, keeps the first reasons and writes every row to `path`; None: writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.columns: Sequence[str] = ()
        self._file: IO[str] | None = None
        self._part: Path | None = None
        self._finished = self._discarded = False
        self._lock = threading.Lock()  # A cancelled import discards while a thread still writes.
        self.count = 0
        self.first: list[Rejection] = []

    @property
    def path(self) -> Path | None:
        """Where the file is, once it is finished; None where there is none."""
        return self._path if self._finished else None

    def add(self, line: int, reason: str, cells: Sequence[str]) -> None:
        """One row; raises ImportFileError when it cannot be written."""
        self.count += 1
        if len(self.first) < REASONS_SHOWN:
            self.first.append(Rejection(line, reason))
        with self._lock:
            if self._path is None or self._discarded:
                return
            try:
                if self._file is None:
                    self._open(self._path)
                self._writer.writerow((line, reason, *cells))
            except OSError as error:
                raise self._refused(error) from error

    def finish(self) -> None:
        """Write what is left and give the file its name; raises ImportFileError."""
        if self._file is None or self._part is None or self._path is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        except OSError as error:
            raise self._refused(error) from error
        self._part, self._finished = None, True

    def discard(self) -> None:
        """Remove what was written: the rows that it tells of were not loaded."""
        with self._lock:
            self._discarded = True
            if self._file is not None:
                with contextlib.suppress(OSError):  # What could not be written is thrown away.
                    self._file.close()
            for path in (self._part, self._path if self._finished else None):
                if path is not None:
                    path.unlink(missing_ok=True)
            self._finished = False

    def _open(self, path: Path) -> None:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        self._part = Path(name)
        self._file = os.fdopen(descriptor, "w", buffering=BUFFER_BYTES, encoding="utf-8", newline="", errors="backslashreplace")
        self._writer = csv.writer(self._file)
        self._writer.writerow(("line", "reason", *self.columns))

    def _refused(self, error: OSError) -> ImportFileError:
        return ImportFileError(
            f"The rejected rows cannot be written to {self._path}: {error.strerror or error}.",
            "Make room or name another place with --rejected PATH, and repeat. Nothing was loaded.",
        )


def rejected_path(source: Path, fallback: Path) -> Path:
    """Where the rejected rows of a file go: beside it, or into `fallback` where nothing may be written beside it."""
    name = f"{source.name.removesuffix('.gz').removesuffix('.csv')}.rejected.csv"
    if os.access(source.parent, os.W_OK):
        return source.parent / name
    fallback.mkdir(mode=0o700, parents=True, exist_ok=True)
    return fallback / name
