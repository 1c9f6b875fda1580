"""Cgroup: what a container may use and uses, by cgroup v2, v1, or both mounted side by side.

Owns the files. Refuses to guess: without a limit the machine's own figures count, and what cannot be read is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROC, ROOT = Path("/proc"), Path("/sys/fs/cgroup")
NO_LIMIT_BYTES = 1 << 60  # Version 1 says "none" with the largest multiple of a page.

Version = Literal["v2", "v1", "none"]


@dataclass(frozen=True, slots=True)
class Controller:
    """The folders of one controller, the process's own first, then those above it up to the mount."""

    version: Version = "none"
    folders: tuple[Path, ...] = ()


class Cgroup:
    """Looks for its folders once; limits are read at each call, since they may be changed while we run."""

    def __init__(self, proc: Path = PROC, root: Path = ROOT) -> None:
        lines = [line.split(":", 2) for line in (_text(proc / "self" / "cgroup") or "").splitlines() if line.count(":") >= 2]
        self.cpu, self.cpuacct, self.memory = (_controller(lines, root, name) for name in ("cpu", "cpuacct", "memory"))

    def cpus(self) -> float | None:
        """The processors that may be used at once; None: no limit."""
        quotas = _v2_cpus if self.cpu.version == "v2" else _v1_cpus
        return min((found for folder in self.cpu.folders if (found := quotas(folder)) is not None), default=None)

    def cpu_seconds(self) -> float | None:
        """Processor time that the container used so far; None: not known."""
        if self.cpuacct.version == "v1" and self.cpuacct.folders:
            used = _number(self.cpuacct.folders[0] / "cpuacct.usage")
            return None if used is None else used / 1e9
        used = _fields(self.cpu.folders[0] / "cpu.stat").get("usage_usec") if self.cpu.folders else None
        return None if used is None else used / 1e6

    def memory_limit_bytes(self) -> int | None:
        """The memory that may be used; None: no limit."""
        name = "memory.max" if self.memory.version == "v2" else "memory.limit_in_bytes"
        limits = [limit for folder in self.memory.folders if (limit := _number(folder / name)) is not None]
        return min((limit for limit in limits if limit < NO_LIMIT_BYTES), default=None)

    def memory_used_bytes(self) -> int | None:
        """The memory in use without file pages that can be given up at once, as Kubernetes counts it; None: not known."""
        if not self.memory.folders:
            return None
        folder, v2 = self.memory.folders[0], self.memory.version == "v2"
        used = _number(folder / ("memory.current" if v2 else "memory.usage_in_bytes"))
        idle = _fields(folder / "memory.stat").get("inactive_file" if v2 else "total_inactive_file", 0)
        return None if used is None else max(0, used - idle)


def _controller(lines: list[list[str]], root: Path, name: str) -> Controller:
    """A controller that version 1 names is there; any other is in the unified hierarchy."""
    for _, names, path in lines:
        if name in names.split(","):
            mounts = [root / names, root / name]
            return Controller("v1", next((found for mount in mounts if (found := _folders(mount, path))), ()))
    mount = root if (root / "cgroup.controllers").exists() else root / "unified"
    unified = (path for number, names, path in lines if number == "0" and not names)
    return next((Controller("v2", _folders(mount, path)) for path in unified), Controller())


def _folders(mount: Path, path: str) -> tuple[Path, ...]:
    """From the process's own up to the mount, those that are there: a container may see only its own, as the mount."""
    if not mount.is_dir():
        return ()
    return tuple(folder for folder in _upwards(mount, path) if folder.is_dir())


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for size in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:size])


def _v2_cpus(folder: Path) -> float | None:
    quota, _, period = (_text(folder / "cpu.max") or "max").strip().partition(" ")
    try:
        return None if quota == "max" else int(quota) / int(period or 100_000)
    except (ValueError, ZeroDivisionError):
        return None


def _v1_cpus(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def _number(path: Path) -> int | None:
    try:
        return int((_text(path) or "").strip())
    except ValueError:  # "max", or nothing.
        return None


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in (_text(path) or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
