"""Record: who runs a server and who holds it, in the lock file itself; refuses to be read or written by two at once."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.embedded.deadline import Deadline
from core.embedded.process import ProcessIdentity
from core.errors import EmbeddedServerError

BLOCK_BYTES = 4096  # some forty holders; the file is padded to it and then written in place


@dataclass(frozen=True)
class Holder:
    """One object that uses the server: its process and a token of its own."""

    process: ProcessIdentity
    token: str


@dataclass(frozen=True)
class Record:
    """The server's process, the folder of its socket, and its holders."""

    server: ProcessIdentity | None = None
    socket_folder: str | None = None
    holders: tuple[Holder, ...] = ()

    def pruned(self) -> Record:
        """The same without the holders whose process is gone."""
        return replace(self, holders=tuple(holder for holder in self.holders if holder.process.alive()))

    def with_holder(self, holder: Holder) -> Record:
        """The same with `holder` in it once."""
        return self if holder in self.holders else replace(self, holders=(*self.holders, holder))

    def without_holder(self, holder: Holder) -> Record:
        """The same without `holder`."""
        return replace(self, holders=tuple(other for other in self.holders if other != holder))


class RecordFile:
    """A file that carries the record and the lock that guards it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record:
        """The record as it is now, without the lock; an empty one when there is none."""
        try:
            return _decode(self.path.read_bytes())
        except OSError:
            return Record()

    @contextlib.contextmanager
    def locked(self, deadline: Deadline) -> Iterator[LockedRecord]:
        """Hold the lock; the kernel gives it back even after kill -9. Raises EmbeddedServerError when the time is over."""
        fd = self._lock(deadline)
        try:
            yield LockedRecord(fd)
        finally:
            # Unlocked by name: a child forked meanwhile shares this lock and would keep it after close().
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def _lock(self, deadline: Deadline) -> int:
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not deadline.wait_for(functools.partial(try_lock, fd)):
                os.close(fd)
                raise EmbeddedServerError(
                    f"another process keeps {self.path} locked for more than {deadline.seconds:.0f} s",
                    f"See who holds it with `fuser {self.path}`; continue it with `kill -CONT` or end it, then try again.",
                )
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(fd).st_ino == self.path.stat().st_ino:
                    return fd
            os.close(fd)  # the folder was removed and made anew while we waited


class LockedRecord:
    """The record while its lock is held."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> Record:
        """The record; an empty one when the file is new or was torn by a power cut."""
        return _decode(os.pread(self._fd, os.fstat(self._fd).st_size, 0))

    def write(self, record: Record) -> None:
        """Write over the old record in place: it needs no new space, so it works on a full disk."""
        if record == self.read():
            return
        text = json.dumps(_encode(record)).encode()
        size = max(-(-len(text) // BLOCK_BYTES) * BLOCK_BYTES, os.fstat(self._fd).st_size)
        os.pwrite(self._fd, text.ljust(size), 0)


def try_lock(fd: int) -> bool:
    """Take the exclusive flock of `fd` if it is free."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _encode(record: Record) -> dict[str, object]:
    server = record.server
    return {
        "server": None if server is None else [server.pid, server.created],
        "socket_folder": record.socket_folder,
        "holders": [[holder.process.pid, holder.process.created, holder.token] for holder in record.holders],
    }


def _decode(content: bytes) -> Record:
    try:
        data = json.loads(content)
        server = data["server"]
        return Record(
            server=None if server is None else ProcessIdentity(int(server[0]), str(server[1])),
            socket_folder=data["socket_folder"],
            holders=tuple(Holder(ProcessIdentity(int(pid), str(born)), str(token)) for pid, born, token in data["holders"]),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return Record()
