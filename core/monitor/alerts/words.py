"""Words: a figure of a rule, and what is wrong with it, as one says it."""

from __future__ import annotations

from core.monitor.alerts.judge import Reading
from core.monitor.alerts.rules import Rule, Unit


def said(value: float | None, unit: Unit) -> str:
    """A value in the unit that fits; a dash for one that is not known."""
    if value is None:
        return "—"
    if unit == "seconds":
        factor, name = (1e6, "µs") if 0 < value < 1e-3 else (1e3, "ms") if value < 1 else (1.0, "s")
        return f"{value * factor:.3g} {name}"
    if unit == "share":
        return f"{int(value * 1_000 + 1e-9) / 10:g} %"  # Rounded down, so that 89.96 % is not shown as 90 %.
    if unit == "bytes":
        return f"{value / 1e9:.2f} GB"
    if unit == "down":
        return "down" if value else "up"
    return f"{value:,.0f}"


def limit_said(rule: Rule, limit: float | None) -> str:
    """A limit with the side on which it is kept."""
    if limit is None:
        return "—"
    return "up" if rule.unit == "down" else f"{'<' if rule.direction == 'above' else '≥'} {said(limit, rule.unit)}"


def wrong(rule: Rule, reading: Reading) -> str:
    """What is wrong, in one sentence without its full stop."""
    worst = f"; {reading.worst}" if reading.worst else ""
    if rule.unit == "down":
        return f"{rule.title} does not answer{worst}"
    return f"{rule.title} is {said(reading.value, rule.unit)}, promised is {limit_said(rule, rule.warning)}{worst}"


def lasting(seconds: float) -> str:
    """A length of time in the unit that a person would say it in."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def counted(count: int, noun: str) -> str:
    """A number of something: 1 request, 2 requests."""
    return f"{count:,} {noun.removesuffix('s') if count == 1 else noun}"
