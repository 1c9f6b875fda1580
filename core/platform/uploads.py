"""Uploads: files that came through the browser, kept for one import, and the rejected rows that it leaves.

Owns two private folders of DATA_DIR. Refuses to keep what nobody needs: an upload goes after its import, after an hour, and
when the process that took it has ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

import psutil

from core.errors import ImportFileError

KEPT_SECONDS = 3600.0
REJECTED_KEPT = 50
_NAME = re.compile(r"^(\d+)-\d+-")


class Uploads:
    """The files of one process."""

    def __init__(self, data_dir: Path) -> None:
        self._folder, self._rejected = data_dir / "uploads", data_dir / "rejected"

    async def open(self) -> None:
        """Remove what processes that have ended left behind."""
        self._tidy(at_start=True)

    async def close(self) -> None:
        """Remove the files of this process."""
        for path in self._files():
            if _owner(path) == os.getpid():
                path.unlink(missing_ok=True)

    def save(self, name: str, content: bytes | memoryview) -> Path:
        """Keep an upload as a file that only this user may read; raises ImportFileError."""
        self._tidy(at_start=False)
        path = self._folder / f"{os.getpid()}-{time.monotonic_ns()}-{_plain(name)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(content)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise ImportFileError(
                f"The upload cannot be kept in {self._folder}: {error.strerror}.", "Make room on the disk and upload it again."
            ) from error
        return path

    def remove(self, path: Path) -> None:
        """Remove an upload; a file that is none is left alone."""
        if path.parent == self._folder:
            path.unlink(missing_ok=True)

    def owns(self, path: Path) -> bool:
        """Whether this is an upload."""
        return path.parent == self._folder

    def rejected_path(self, name: str) -> Path:
        """A new place for the rejected rows of a file; the oldest of more than fifty go."""
        self._rejected.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = sorted(self._rejected.glob("*.rejected.csv"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[REJECTED_KEPT - 1 :]:
            path.unlink(missing_ok=True)
        stem = _plain(name).removesuffix(".gz").removesuffix(".csv")
        return (
            self._rejected
            / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{time.monotonic_ns() % 10**6:06d}-{stem}.rejected.csv"
        )

    def rejected_file(self, path: str | None) -> Path | None:
        """The file, when it is one of ours and still there: no other is handed to a browser."""
        found = Path(path) if path else None
        return found if found is not None and found.parent == self._rejected and found.is_file() else None

    def _tidy(self, *, at_start: bool) -> None:
        for path in self._files():
            owner = _owner(path)
            mine = owner == os.getpid()
            old = time.time() - path.stat().st_mtime > KEPT_SECONDS
            if (mine and (at_start or old)) or (not mine and not (owner and psutil.pid_exists(owner))):
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.is_file()] if self._folder.is_dir() else []


def _owner(path: Path) -> int | None:
    match = _NAME.match(path.name)
    return int(match[1]) if match else None


def _plain(name: str) -> str:
    """The end of a file's name, without anything that means something to a file system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name)[-80:].lstrip(".") or "upload.csv"
