"""Pressure: how much of the last ten seconds some work waited for the processor, memory or the disk.

Owns the format of the kernel's pressure stall information (https://docs.kernel.org/accounting/psi.html). It tells
contention that a share of CPU cannot: a busy machine on which nobody waits has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_SOME = re.compile(r"^some avg10=([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pressure:
    """Shares from 0 to 1; None: the kernel does not say."""

    cpu: float | None = None
    memory: float | None = None
    io: float | None = None


def read_pressure(proc: Path, container: Path | None = None) -> Pressure:
    """Of the container where its cgroup says so (version 2), else of the machine."""

    def share(name: str) -> float | None:
        for path in ([container / f"{name}.pressure"] if container else []) + [proc / "pressure" / name]:
            try:
                found = _SOME.search(path.read_text(encoding="ascii", errors="replace"))
            except OSError:
                continue
            if found:
                return float(found.group(1)) / 100
        return None

    return Pressure(share("cpu"), share("memory"), share("io"))
