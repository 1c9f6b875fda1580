"""The machine as it is looked at: rates of two looks, limits of the container, and what cannot be read is said."""

from __future__ import annotations

import gc
from pathlib import Path

from core.monitor import Recorder
from core.monitor.system.machine import Machine, Used
from core.monitor.system.system import SystemMonitor
from tests.monitor.manual_clock import ManualClock
from tests.support import wait_until_async


class _Unreadable(Machine):
    """A kernel that refuses two questions."""

    def rss_bytes(self) -> int | None:
        """Refused."""
        return self._read("memory of the process", lambda: 1 // 0)

    def disk(self) -> Used | None:
        """Refused."""
        return self._read("disk", lambda: 1 // 0 or None)


def test_the_first_look_is_only_a_beginning(tmp_path: Path) -> None:
    """A share of the time since nobody knows when would be a number that looks like one."""
    recorder, machine = Recorder(ManualClock().steady), Machine(tmp_path)
    system = SystemMonitor(recorder, tmp_path / "not there yet")

    system.look(machine)
    assert (system.snapshot(), recorder.snapshot(60).gauges) == (None, ())

    system.look(machine)
    seen = system.snapshot()
    assert seen is not None
    assert seen.cpu_share is not None
    assert 0 <= seen.cpu_share <= 1
    assert seen.memory is not None
    assert seen.rss_bytes is not None
    assert 1_000_000 < seen.rss_bytes < seen.memory.limit_bytes
    assert recorder.stats().series <= 20  # Of the recorder's 200; with the lag and the collector's pauses.


def test_what_cannot_be_read_is_none_and_said(tmp_path: Path) -> None:
    """The rest is there all the same, and no gauge shows what is not known."""
    recorder, machine = Recorder(ManualClock().steady), _Unreadable(tmp_path, proc=tmp_path, cgroup_root=tmp_path)
    system = SystemMonitor(recorder, tmp_path)

    for _ in range(2):
        system.look(machine)

    seen = system.snapshot()
    assert seen is not None
    assert seen.missing == ("disk", "memory of the process", "pressure")
    assert (seen.rss_bytes, seen.disk, seen.pressure.cpu) == (None, None, None)
    assert seen.threads is not None
    assert not {"process_rss_bytes", "system_disk_used_share", "system_pressure"} & {
        item.metric for item in recorder.snapshot(60).gauges
    }


def test_the_containers_limits_count(tmp_path: Path) -> None:
    """Half a processor and 100 MB are all there is, however large the machine."""
    for name, text in {
        "self/cgroup": "0::/\n", "cgroup.controllers": "", "cpu.max": "50000 100000", "cpu.stat": "usage_usec 1",
        "memory.max": "100000000", "memory.current": "60000000", "memory.stat": "inactive_file 10000000",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    system, machine = SystemMonitor(Recorder(), tmp_path), Machine(tmp_path, proc=tmp_path, cgroup_root=tmp_path)

    for _ in range(2):
        system.look(machine)

    seen = system.snapshot()
    assert seen is not None
    assert (seen.cpus, seen.cpus_limited, seen.memory_limited) == (0.5, True, True)
    assert seen.memory == Used(50_000_000, 100_000_000)
    assert seen.cpu_share == 0.0


async def test_the_thread_looks_and_ends(tmp_path: Path) -> None:
    """The loop's lag and the collector's pauses are measured as long as it is open."""
    recorder = Recorder()
    system, callbacks = SystemMonitor(recorder, tmp_path, look_seconds=0.01), len(gc.callbacks)
    await system.open()
    await wait_until_async(lambda: system.snapshot() is not None)
    gc.collect()

    def measured() -> bool:
        recorder.fold()
        return all(recorder.total(metric, 60).count for metric in ("loop_lag_seconds", "gc_pause_seconds"))

    await wait_until_async(measured)
    await system.close()
    assert len(gc.callbacks) == callbacks
