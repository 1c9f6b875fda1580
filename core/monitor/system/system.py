"""SystemMonitor: the machine, the container and this process, looked at once a second by one thread of their own.

Owns that thread. Refuses to block or to raise: whoever asks reads the last snapshot. Rates are the difference of two looks, so
the first look is only a beginning and is not shown.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.monitor.system.machine import Counters, Machine, Used
from core.monitor.system.pauses import GcPauses, LoopLag
from core.monitor.system.pressure import Pressure
from core.ports import Record

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
DEAR_SECONDS = 5.0  # As often as the rules are judged. The disk may hang, and counting processes costs as much as all the rest.
CLOSE_SECONDS = 0.05  # It wakes at once, and a look takes a millisecond.
GIGABYTE = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSnapshot:
    """One look; None: it could not be read, and `missing` says what. Shares are from 0 to 1, rates per second."""

    taken_at: datetime
    cpus: float
    cpus_limited: bool
    cpu_share: float | None
    process_cpu_share: float | None
    memory: Used | None
    memory_limited: bool
    rss_bytes: int | None
    threads: int | None
    files: int | None
    files_limit: int | None
    received_bytes_per_second: float | None
    sent_bytes_per_second: float | None
    pressure: Pressure
    disk: Used | None
    processes: int | None
    dear_at: datetime
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Dear:
    at: datetime
    disk: Used | None
    processes: int | None


class SystemMonitor:
    """Its lag is that of the loop that opens it."""

    def __init__(
        self,
        record: Record,
        disk: Path,
        *,
        make_machine: Callable[[Path], Machine] = Machine,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._record = record
        self._disk = disk
        self._make_machine = make_machine
        self._look_seconds = look_seconds
        self._lag, self._pauses = LoopLag(record), GcPauses(record)
        self._snapshot: SystemSnapshot | None = None
        self._before: Counters | None = None
        self._dear: _Dear | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Start looking."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="system", daemon=True)
            self._thread.start()
            self._pauses.open()
            await self._lag.open()

    async def close(self) -> None:
        """Stop looking; a thread that the kernel holds is left behind."""
        thread, self._thread = self._thread, None
        self._stop.set()
        self._pauses.close()
        await self._lag.close()
        if thread is not None:
            thread.join(CLOSE_SECONDS)

    def snapshot(self) -> SystemSnapshot | None:
        """The last look; None in the first second. Its age tells whether the thread still looks."""
        return self._snapshot

    def look(self, machine: Machine) -> None:
        """Take one look; the thread does it once a second."""
        machine.missing.clear()
        now, before = machine.counters(), self._before
        self._before = now
        if before is None:
            return
        snapshot = self._seen(machine, before, now)
        self._snapshot = snapshot
        self._tell(snapshot, before, now)

    def _seen(self, machine: Machine, before: Counters, now: Counters) -> SystemSnapshot:
        cpus, seconds, at = machine.cpus(), max(now.at - before.at, 1e-3), datetime.now(UTC)
        if self._dear is None or (at - self._dear.at).total_seconds() >= DEAR_SECONDS:
            self._dear = _Dear(at, machine.disk(), machine.processes())
        files, files_limit = machine.files()
        return SystemSnapshot(
            taken_at=at,
            cpus=cpus,
            cpus_limited=machine.limited_cpus() is not None,
            cpu_share=_share(before.cpu_seconds, now.cpu_seconds, seconds * cpus),
            process_cpu_share=_share(before.process_cpu_seconds, now.process_cpu_seconds, seconds * cpus),
            memory=machine.memory(),
            memory_limited=machine.limited_memory(),
            rss_bytes=machine.rss_bytes(),
            threads=machine.threads(),
            files=files,
            files_limit=files_limit,
            received_bytes_per_second=_rate(before.received_bytes, now.received_bytes, seconds),
            sent_bytes_per_second=_rate(before.sent_bytes, now.sent_bytes, seconds),
            pressure=machine.pressure(),
            disk=self._dear.disk,
            processes=self._dear.processes,
            dear_at=self._dear.at,
            missing=tuple(sorted(machine.missing)),
        )

    def _tell(self, seen: SystemSnapshot, before: Counters, now: Counters) -> None:
        """Into the recorder: what charts draw as distributions, what rules compare with a limit as gauges."""
        record, memory = self._record, seen.memory.share if seen.memory else None
        rss = seen.rss_bytes
        for metric, value in (
            ("system_cpu_share", seen.cpu_share),
            ("process_cpu_share", seen.process_cpu_share),
            ("system_memory_used_share", memory),
            ("process_rss_gigabytes", None if rss is None else rss / GIGABYTE),
        ):
            if value is not None:
                record.record(metric, value)
        for metric, value, *labels in (
            ("system_cpu_share", seen.cpu_share),
            ("system_memory_used_share", memory),
            ("system_disk_used_share", seen.disk.share if seen.disk else None),
            ("system_processes", seen.processes),
            ("system_pressure", seen.pressure.cpu, "cpu"),
            ("system_pressure", seen.pressure.memory, "memory"),
            ("system_pressure", seen.pressure.io, "io"),
            ("process_rss_bytes", rss),
            ("process_threads", seen.threads),
            ("process_files", seen.files),
        ):
            if value is not None:
                record.gauge(metric, value, tuple(labels))
        for way, first, last in (
            ("received", before.received_bytes, now.received_bytes),
            ("sent", before.sent_bytes, now.sent_bytes),
        ):
            if first is not None and last is not None and last > first:
                record.count("system_network_bytes", last - first, (way,))

    def _run(self) -> None:
        machine = self._make_machine(self._disk)
        while True:
            began = time.perf_counter()
            try:
                self.look(machine)
            except Exception:
                log.exception("system_crashed")
            if self._stop.wait(max(0.0, self._look_seconds - (time.perf_counter() - began))):
                return


def _share(before: float | None, now: float | None, most: float) -> float | None:
    return None if before is None or now is None else min(1.0, max(0.0, (now - before) / most))


def _rate(before: int | None, now: int | None, seconds: float) -> float | None:
    return None if before is None or now is None else max(0, now - before) / seconds
