"""EmbeddedServer: starts, attaches to and stops one server of a data folder; never kills one that is paused or only slow."""

from __future__ import annotations

import logging
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from core.embedded.account import Account
from core.embedded.deadline import Deadline
from core.embedded.folder import claimed, disk_full, explained, is_claimed, prepare_data_folder
from core.embedded.logfile import LogFile
from core.embedded.process import ProcessIdentity, ProcessState, StopStep, read_pid, server_in
from core.embedded.record import Holder, LockedRecord, Record, RecordFile
from core.embedded.sockets import SocketFolder
from core.errors import EmbeddedServerError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartPlan:
    """What to run in which folder as whom, given the socket's path; `sockets` where its folder cannot be near the data."""

    folder: Path
    account: Account
    command: Callable[[Path], list[str]]
    sockets: Path | None = None


class EmbeddedServer(ABC):
    """One server program of one data folder, shared by all processes that name the same folder."""

    name: str
    title: str
    stem: str
    socket_name: str
    pid_name: str
    programs: frozenset[str]
    error_line: re.Pattern[str]

    def __init__(self, data_dir: Path, *, start_timeout_seconds: float = 60.0, stop_timeout_seconds: float = 3.0) -> None:
        self._data_folder = data_dir.expanduser().resolve()
        self._start_timeout_seconds = start_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._record_file = RecordFile(self._data_folder / f"{self.stem}.lock")
        self._log = LogFile(self._data_folder / f"{self.stem}.log")
        self._sockets = SocketFolder(self._data_folder, self.stem, self.socket_name)
        self._token = uuid.uuid4().hex
        self._last_server: ProcessIdentity | None = None
        self._last_state: ProcessState | None = None

    @property
    def url(self) -> str:
        """The URL under which the server answers; known before the start, but for root's first start in a system folder."""
        return self._url(self._socket(self._record_file.read()))

    def ensure(self) -> str:
        """Attach to the living server or start it, and hold it; returns the URL. Raises EmbeddedServerError."""
        deadline = Deadline(self._start_timeout_seconds)
        with explained(self.title, self._data_folder):
            prepare_data_folder(self._data_folder)
            with self._record_file.locked(deadline) as locked:
                self._last_server = self._attach(locked, deadline) or self._start(locked, deadline)
                return self._url(self._socket(locked.read()))

    def release(self) -> bool:
        """Hold the server no longer; the last living holder stops it. True when it was stopped. Raises EmbeddedServerError."""
        if not self._data_folder.is_dir():
            return self._stop_stray()
        # A console must not hang at its end behind another one's slow start: whoever holds the lock will hold the server too.
        deadline = Deadline(self._stop_timeout_seconds)
        with explained(self.title, self._data_folder), self._record_file.locked(deadline) as locked:
            record = locked.read()
            if self._holder() not in record.holders:
                return False
            server = self._find(record)
            record = record.without_holder(self._holder()).pruned()
            stopped = server is not None and not record.holders and self._stop(server)
            locked.write(replace(record, server=None) if stopped else record)
            return stopped

    def process_state(self) -> ProcessState:
        """What the server's process does, and since when as far as this object has seen; takes no lock."""
        server = self._find(self._record_file.read()) or self._last_server
        state = server.state() if server else "gone"
        pid = server.pid if server else None
        last = self._last_state
        if last is not None and (last.state, last.pid) == (state, pid):
            return last
        first_sight = last is None or last.pid != pid
        since = server.started_at() if server and state == "running" and first_sight else datetime.now(UTC)
        self._last_state = ProcessState(state, pid, since)
        return self._last_state

    @abstractmethod
    def _folder(self) -> Path:
        """The folder in which the server's process works."""

    @abstractmethod
    def _plan(self, deadline: Deadline) -> StartPlan:
        """Make everything ready for a start."""

    @abstractmethod
    def _says_ready(self, server: ProcessIdentity) -> bool:
        """Whether the server has come so far that its socket must exist."""

    @abstractmethod
    def _accepts(self, socket: Path) -> bool:
        """Whether the server answers on its socket."""

    @abstractmethod
    def _url(self, socket: Path) -> str:
        """The URL of the server behind a socket."""

    @abstractmethod
    def _stop_steps(self) -> tuple[StopStep, ...]:
        """The signals that stop the server, each with the seconds that it gets."""

    def _socket(self, record: Record) -> Path:
        return self._sockets.socket(self._sockets.locate(record.socket_folder))

    def _holder(self) -> Holder:
        return Holder(ProcessIdentity.own(), self._token)

    def _find(self, record: Record) -> ProcessIdentity | None:
        """The living server: the recorded one, else the one that its own pid file names (a start that was killed half-way)."""
        if record.server is not None and record.server.alive():
            return record.server
        folder = self._folder()
        server = server_in(folder, folder / self.pid_name, self.programs)
        return server if server is not None and server.alive() else None

    def _attach(self, locked: LockedRecord, deadline: Deadline) -> ProcessIdentity | None:
        record = locked.read()
        server = self._find(record) or self._emerging(record, deadline)
        if server is None:
            return None
        self._refuse_paused(server)
        if server == record.server and self._says_ready(server) and not self._socket(record).exists():
            logger.warning("the socket of %s was removed; it is started anew", self.title)
            self._stop(server)
            return None
        locked.write(replace(record.pruned().with_holder(self._holder()), server=server))
        return server if self._becomes_ready(locked, server, deadline) else None

    def _emerging(self, record: Record, deadline: Deadline) -> ProcessIdentity | None:
        """The server left by a process that was killed during a start: it has its folder claimed before it has a pid file."""
        folder = self._folder()
        deadline.wait_for(lambda: not is_claimed(folder) or self._find(record) is not None)
        return self._find(record)

    def _start(self, locked: LockedRecord, deadline: Deadline) -> ProcessIdentity:
        self._stop_stray()
        plan = self._plan(deadline)
        record = locked.read().pruned()
        folder = self._sockets.locate(record.socket_folder, plan.sockets)
        with claimed(plan.folder, deadline) as claim, self._log.opened() as log_fd:
            self._remove_recycled_pid(plan.folder / self.pid_name)
            self._sockets.make(folder, plan.account.uid, plan.account.gid)
            locked.write(replace(record, server=None, socket_folder=str(folder)))
            command = plan.command(self._sockets.socket(folder))
            server = plan.account.spawn(command, output_fd=log_fd, keep_fds=[claim])
        # A holder even before it answers: when it recovers for longer than we wait, the last release still stops it.
        locked.write(replace(locked.read().with_holder(self._holder()), server=server))
        if not self._becomes_ready(locked, server, deadline):
            locked.write(replace(locked.read().without_holder(self._holder()), server=None))
            raise self._start_failed()
        logger.info("%s started as process %d in %s", self.title, server.pid, plan.folder)
        return server

    def _becomes_ready(self, locked: LockedRecord, server: ProcessIdentity, deadline: Deadline) -> bool:
        """Wait until the server answers; False when it ends before."""
        socket = self._socket(locked.read())

        def settled() -> bool:
            return server.state() != "running" or (self._says_ready(server) and self._accepts(socket))

        in_time = deadline.wait_for(settled)
        self._refuse_paused(server)
        if server.alive() and not in_time:
            raise EmbeddedServerError(
                f"{self.title} (process {server.pid}) runs but does not answer on {socket} within {deadline.seconds:.0f} s",
                f"It may still recover: see {self._log.path} and try again, it is left running.",
            )
        return server.alive()

    def _refuse_paused(self, server: ProcessIdentity) -> None:
        if server.state() == "paused":
            raise EmbeddedServerError(
                f"{self.title} (process {server.pid}) is paused by a stop signal",
                f"Continue it with `kill -CONT {server.pid}`.",
            )

    def _start_failed(self) -> EmbeddedServerError:
        if self._log.tells_full_disk():
            return disk_full(self.title, self._folder())
        return EmbeddedServerError(
            f"{self.title} does not start: {self._log.cause(self.error_line)}",
            f"Read {self._log.path}, remove the cause and start again; the data is in {self._folder()}.",
        )

    def _remove_recycled_pid(self, pid_file: Path) -> None:
        # The claim proves that no server works here. PostgreSQL would refuse when its old pid lives again as another process; a
        # dead pid it handles itself, and looks for leftovers in shared memory.
        pid = read_pid(pid_file)
        if pid is not None and ProcessIdentity.of(pid) is not None:
            pid_file.unlink(missing_ok=True)

    def _stop(self, server: ProcessIdentity) -> bool:
        stopped = server.stop(self._stop_steps())
        if stopped:
            logger.info("%s (process %d) stopped", self.title, server.pid)
        else:
            logger.error("%s (process %d) does not stop", self.title, server.pid)
        return stopped

    def _stop_stray(self) -> bool:
        """Stop the server that we started in a folder that was removed since; no record names it any more."""
        server = self._last_server
        self._last_server = None
        return server is not None and server.alive() and self._stop(server)
