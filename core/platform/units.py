"""Units: quantities as an operator reads them, three digits at most where they are small."""

from __future__ import annotations

KIB, MIB, GIB = 1024, 1024**2, 1024**3


def size(size_bytes: float) -> str:
    """Bytes in the unit that fits."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f}\u00a0{name}"
    return f"{size_bytes:,.0f}\u00a0B"


def duration(seconds: float | None) -> str:
    """A duration from microseconds to hours; a dash for one that is not known."""
    if seconds is None:
        return "—"
    for below, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7_200.0, 1 / 60, "min")):
        if abs(seconds) < below:
            return f"{_three(seconds * factor)}\u00a0{unit}"
    return f"{_three(seconds / 3_600)}\u00a0h"


def percent(share: float | None) -> str:
    """A share rounded down to a tenth of a point, so that 89.96 % is not shown as 90 %."""
    return "—" if share is None else f"{int(share * 1_000 + 1e-9) / 10:.1f}\u00a0%"


def dollars(usd: float | None) -> str:
    """Dollars with the digits that matter: cents where there are many, millionths where there are few."""
    if usd is None:
        return "—"
    digits = 2 if abs(usd) >= 1 or not usd else 3 if abs(usd) >= 0.01 else 6
    return f"${usd:,.{digits}f}"


def _three(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
