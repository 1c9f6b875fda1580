"""Machine: the readings of one moment, each asked for alone, so that one that fails hides no other.

Owns what is read of the kernel and where a container's limit counts in place of the machine's size. Refuses to raise.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from core.monitor.system.cgroup import PROC, ROOT, Cgroup
from core.monitor.system.pressure import Pressure, read_pressure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Used:
    """So many bytes of so many; `limit_bytes` is the container's, or what the machine has."""

    used_bytes: int
    limit_bytes: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What only goes up; two of them make a rate. None: it cannot be read."""

    at: float
    cpu_seconds: float | None
    process_cpu_seconds: float | None
    received_bytes: int | None
    sent_bytes: int | None


class Machine:
    """Reads for one thread; `missing` names what could not be read."""

    def __init__(self, disk: Path, proc: Path = PROC, cgroup_root: Path = ROOT) -> None:
        self._disk = disk
        self._proc = proc
        self._process = psutil.Process()
        self._cgroup = Cgroup(proc, cgroup_root)
        self.missing: set[str] = set()

    def limited_cpus(self) -> float | None:
        """What the container may use; None: all of the machine."""
        return self._read("CPU limit", self._cgroup.cpus)

    def cpus(self) -> float:
        """The processors that may be used."""
        usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        return min(usable, self.limited_cpus() or usable)

    def counters(self) -> Counters:
        """Processor time and network bytes so far."""
        used = self._read("CPU", self._cgroup.cpu_seconds if self.limited_cpus() is not None else _busy_seconds)
        times = self._read("CPU of the process", self._process.cpu_times)
        network = self._read("network", psutil.net_io_counters)
        return Counters(
            time.perf_counter(),
            used,
            times.user + times.system if times else None,
            network.bytes_recv if network else None,
            network.bytes_sent if network else None,
        )

    def memory(self) -> Used | None:
        """Memory in use, of the container where it has a limit."""
        limit = self._read("memory limit", self._cgroup.memory_limit_bytes)
        machine = self._read("memory", psutil.virtual_memory)
        if limit is not None and (machine is None or limit < machine.total):
            used = self._read("memory of the container", self._cgroup.memory_used_bytes)
            return None if used is None else Used(used, limit)
        return Used(machine.total - machine.available, machine.total) if machine else None

    def limited_memory(self) -> bool:
        """Whether the container's limit counts."""
        return self._cgroup.memory_limit_bytes() is not None

    def disk(self) -> Used | None:
        """The disk that the data folder is on; a share of what a user may fill."""
        folder = next((path for path in (self._disk, *self._disk.absolute().parents) if path.exists()), Path("/"))
        usage = self._read("disk", lambda: psutil.disk_usage(str(folder)))
        return Used(usage.used, usage.used + usage.free) if usage else None

    def rss_bytes(self) -> int | None:
        """Memory of this process."""
        info = self._read("memory of the process", self._process.memory_info)
        return info.rss if info else None

    def threads(self) -> int | None:
        """Threads of this process."""
        return self._read("threads", self._process.num_threads)

    def files(self) -> tuple[int | None, int | None]:
        """Files that this process holds open, and how many it may."""
        limit = self._read("limit of files", lambda: self._process.rlimit(psutil.RLIMIT_NOFILE)[0])
        return self._read("open files", self._process.num_fds), limit if limit is not None and limit >= 0 else None

    def processes(self) -> int | None:
        """Processes that can be seen from here."""
        return self._read("processes", lambda: len(psutil.pids()))

    def pressure(self) -> Pressure:
        """Of the container, or of the machine."""
        v2 = self._cgroup.cpu.version == "v2" and self._cgroup.cpu.folders
        found = self._read("pressure", lambda: read_pressure(self._proc, self._cgroup.cpu.folders[0] if v2 else None))
        if found is None or found == Pressure():
            self.missing.add("pressure")
        return found or Pressure()

    def _read(self, name: str, ask: Callable[[], T]) -> T | None:
        try:
            found = ask()
        except Exception:  # noqa: BLE001 - what the kernel refuses is a state: None, and said.
            self.missing.add(name)
            return None
        return found


def _busy_seconds() -> float:
    """Processor time of the whole machine that was not idle; time that a hypervisor took away counts as busy."""
    times = psutil.cpu_times()
    counted_twice = sum(getattr(times, name, 0.0) for name in ("guest", "guest_nice"))
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - counted_twice)
