"""A container's limits: version 2, version 1, both mounted, and none at all; folders in place of the kernel's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from core.monitor.system.cgroup import Cgroup
from core.monitor.system.pressure import Pressure, read_pressure

V2 = {
    "proc/self/cgroup": "0::/pod/app\n",
    "root/cgroup.controllers": "cpu memory\n",
    "root/pod/cpu.max": "150000 100000\n",
    "root/pod/memory.max": "800000000\n",
    "root/pod/app/cpu.max": "max 100000\n",
    "root/pod/app/cpu.stat": "usage_usec 2500000\nuser_usec 2000000\n",
    "root/pod/app/memory.max": "max\n",
    "root/pod/app/memory.current": "500000000\n",
    "root/pod/app/memory.stat": "anon 300000000\ninactive_file 100000000\n",
}
V1_OF_ITS_OWN = {  # The container sees its own folder as the mount, whatever path the kernel names.
    "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
    "root/memory/memory.limit_in_bytes": "800000000\n",
    "root/memory/memory.usage_in_bytes": "500000000\n",
    "root/memory/memory.stat": "total_inactive_file 100000000\n",
    "root/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
    "root/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "root/cpu,cpuacct/cpuacct.usage": "2500000000\n",
}
HYBRID = {
    "proc/self/cgroup": "4:memory:/app\n2:cpuacct:/\n1:cpu:/app\n0::/app\n",
    "root/unified/cgroup.controllers": "\n",
    "root/unified/app/cgroup.procs": "1\n",
    "root/memory/app/memory.limit_in_bytes": "800000000\n",
    "root/memory/app/memory.usage_in_bytes": "500000000\n",
    "root/memory/app/memory.stat": "total_inactive_file 100000000\n",
    "root/cpu/app/cpu.cfs_quota_us": "150000\n",
    "root/cpu/app/cpu.cfs_period_us": "100000\n",
    "root/cpuacct/cpuacct.usage": "2500000000\n",
}
V1_UNLIMITED = {
    "proc/self/cgroup": "4:memory:/\n1:cpu:/\n",
    "root/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "root/cpu/cpu.cfs_quota_us": "-1\n",
    "root/cpu/cpu.cfs_period_us": "100000\n",
}
BROKEN = {
    "proc/self/cgroup": "0::/\nnonsense\n",
    "root/cgroup.controllers": "",
    "root/cpu.max": "much\n",
    "root/memory.max": "0x\n",
}


def _made(folder: Path, files: Mapping[str, str]) -> Cgroup:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Cgroup(folder / "proc", folder / "root")


@pytest.mark.parametrize("files", [V2, V1_OF_ITS_OWN, HYBRID], ids=["v2", "v1", "hybrid"])
def test_limits_and_use(tmp_path: Path, files: Mapping[str, str]) -> None:
    """The strictest limit on the way up; memory without the file pages that can be given up at once."""
    cgroup = _made(tmp_path, files)

    assert (cgroup.cpus(), cgroup.memory_limit_bytes()) == (1.5, 800_000_000)
    assert (cgroup.cpu_seconds(), cgroup.memory_used_bytes()) == (2.5, 400_000_000)


@pytest.mark.parametrize("files", [V1_UNLIMITED, BROKEN, {}], ids=["unlimited", "broken", "none"])
def test_no_limit(tmp_path: Path, files: Mapping[str, str]) -> None:
    """None, whether the kernel says so or says nothing that can be read."""
    cgroup = _made(tmp_path, files)

    assert (cgroup.cpus(), cgroup.memory_limit_bytes()) == (None, None)


def test_pressure_is_the_containers_where_it_has_one(tmp_path: Path) -> None:
    """Else the machine's, and what is not said is None."""
    some = "some avg10={} avg60=0.00 avg300=0.00 total=1\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=1\n"
    for name, text in {
        "pressure/cpu": some.format("12.50"),
        "pressure/io": some.format("3.00"),
        "own/cpu.pressure": some.format("40.00"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert read_pressure(tmp_path) == Pressure(0.125, None, 0.03)
    assert read_pressure(tmp_path, tmp_path / "own") == Pressure(0.4, None, 0.03)
