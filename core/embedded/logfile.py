"""LogFile: what a server writes, bounded at each start; finds the line that says why a start failed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 10 * 2**20  # about a hundred thousand lines, and one older file of the same size
TAIL_BYTES = 64 * 2**10  # the last run's failure lies within it


class LogFile:
    """One server's log in the data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor to append to; a file over 10 MB is moved to `.1` before."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size > MAX_BYTES:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._start = os.fstat(fd).st_size
            yield fd
        finally:
            os.close(fd)

    def cause(self, pattern: re.Pattern[str]) -> str:
        """The last line since `opened` that matches, else the last line of all, else a sentence that there is none."""
        lines = [line.strip() for line in self._new_text().splitlines() if line.strip()]
        found = [line for line in lines if pattern.search(line)]
        return (found or lines or ["it wrote nothing to its log"])[-1]

    def tells_full_disk(self) -> bool:
        """True when the server complained since `opened` that the disk is full."""
        return "No space left on device" in self._new_text()

    def _new_text(self) -> str:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._start, size - TAIL_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""
