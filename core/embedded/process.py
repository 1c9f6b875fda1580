"""Process: one process told apart from a later one with the same pid; refuses to signal a stranger."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil

from core.embedded.deadline import Deadline

PROC = Path("/proc")

State = Literal["running", "paused", "gone"]
StopStep = tuple[signal.Signals, float]


@dataclass(frozen=True)
class ProcessState:
    """What a server's process does: paused means stopped by SIGSTOP, `since` is UTC, `pid` is None when none was ever seen."""

    state: State
    pid: int | None
    since: datetime


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid with the moment of its birth, so that a recycled pid is another process."""

    pid: int
    created: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that has this pid now, or None."""
        created = _created(pid)
        return None if created is None else cls(pid, created)

    @classmethod
    def own(cls) -> ProcessIdentity:
        """This process."""
        return cls(os.getpid(), _created(os.getpid()) or "")

    def state(self) -> State:
        """Whether it runs, is paused, or is gone; a zombie is gone, and is reaped when it is our child."""
        if _created(self.pid) != self.created:
            return "gone"
        try:
            status = psutil.Process(self.pid).status()
        except psutil.NoSuchProcess:
            return "gone"
        if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            return "gone"
        return "paused" if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP) else "running"

    def alive(self) -> bool:
        """True when it runs or is paused."""
        return self.state() != "gone"

    def started_at(self) -> datetime:
        """The moment of its start in UTC; now when it is gone."""
        try:
            return datetime.fromtimestamp(psutil.Process(self.pid).create_time(), UTC)
        except psutil.NoSuchProcess:
            return datetime.now(UTC)

    def stop(self, steps: Sequence[StopStep]) -> bool:
        """Send each signal and wait its seconds; True once the process is gone."""
        for number, seconds in steps:
            self._signal(number)
            self._signal(signal.SIGCONT)  # a paused process takes no other signal than SIGKILL
            if Deadline(seconds).wait_for(lambda: not self.alive()):
                return True
        return not self.alive()

    def _signal(self, number: signal.Signals) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def server_in(folder: Path, pid_file: Path, names: frozenset[str]) -> ProcessIdentity | None:
    """The server that its pid file names, if that process is really one and works in `folder`."""
    pid = read_pid(pid_file)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        ours = process.name() in names and process.cwd() == str(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return ProcessIdentity.of(pid) if ours else None


def read_pid(pid_file: Path) -> int | None:
    """The pid on the first line of a pid file, or None."""
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _created(pid: int) -> str | None:
    # psutil's create_time() follows the wall clock (its boot time is "now minus uptime"), so a clock step would make a living
    # server a stranger. The kernel's start ticks and boot id do not move: proc_pid_stat(5), field 22.
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{fields[19]}"
    except (OSError, IndexError):
        pass
    if PROC.joinpath("self/stat").exists():
        return None
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return None
