"""Promise: one rule as a person looks at it: its figure, what is promised, and since when that is not so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.monitor.alerts.judge import BLIND, State
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.trend import Trend
from core.monitor.alerts.view import RuleStatus
from core.monitor.alerts.words import lasting, limit_said, said
from core.platform.server_figure import ServerFigure

Standing = Literal["broken", "pending", "kept", "unknown"]
STATISTICS = {"p95": "P95", "mean": "mean", "share": "share", "dependency": "ping", "gauge": "now", "probe": "now"}

# The page of the console on which something can be done about it.
PAGES = {
    "postgresql": "database", "redis": "cache", "process_memory": "cache", "claude_failures": "claude",
    "database_p95": "database", "cpu": "activity", "database_pool": "database", "cache_hit_rate": "cache",
    "cache_read_p95": "cache", "claude_hit_rate": "leads", "claude_queue": "claude", "claude_mean": "claude",
    "api_p95": "database", "missed_warm": "cache",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place that a figure comes from, named; `text` says value, statistic and ground in one line."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise; values as they are said, user time lost by it alone and by all of its incident (`incident_lost_seconds`)."""

    rule: str
    title: str
    standing: Standing
    state: State
    critical: bool
    value: str
    target: str
    trend: Trend
    samples: int
    window: str
    breach_since: datetime | None = None
    recovering: bool = False
    felt: int = 0
    felt_noun: str = ""
    felt_words: str = ""
    worst: str = ""
    lost_seconds: float = 0.0
    incident_lost_seconds: float = 0.0
    incident: str = ""
    cause: str = ""
    next_step: str = ""
    page: str = ""
    reason: str = ""
    acknowledged_by: str = ""
    silenced: bool = False
    sources: tuple[Source, ...] = ()


def standing(status: RuleStatus) -> Standing:
    """A breach goes on until it is over, also while nothing is seen of it; one that only begins breaks nothing yet."""
    if status.condition.level:
        return "broken"
    if status.condition.state in BLIND:
        return "unknown"
    return "pending" if status.condition.state == "pending" else "kept"


def why_unknown(status: RuleStatus) -> str:
    """Why a promise cannot be judged."""
    rule, condition = status.rule, status.condition
    reading = condition.reading
    if not rule.enabled:
        return "off: Redis is only watched, nothing is stored there" if rule.needs_writes else "switched off"
    if condition.state == "stale":
        return f"last seen {lasting(reading.age_seconds)} ago"
    if condition.state == "warming_up":
        return f"warming up, {lasting(rule.warm_up_seconds - reading.running_seconds)} more"
    if rule.minimum_samples and reading.samples < rule.minimum_samples:
        return f"not enough samples: {reading.samples:,} of {rule.minimum_samples:,}"
    return {"probe": "nothing to measure yet", "dependency": "no server of its own here"}.get(rule.kind, "no data")


def window_words(rule: Rule) -> str:
    """Over what time its figure is taken."""
    if rule.kind not in ("p95", "mean", "share"):
        return "now"
    first, last = lasting(rule.windows[0]), lasting(rule.windows[-1])
    return f"last {first}" if first == last else f"last {first}, or {last} where that holds too little"


def through_this_layer(status: RuleStatus) -> Source:
    """The figure as this console's own layer recorded it."""
    rule, reading = status.rule, status.condition.reading
    ground = f", n={reading.samples:,}, {window_words(rule)}" if rule.kind in ("p95", "mean", "share") else ""
    return Source(name="through this layer", text=f"{STATISTICS[rule.kind]} {said(reading.value, rule.unit)}{ground}")


def whole_server_source(figure: ServerFigure) -> Source:
    """The figure as the server itself counts it, for all of its users."""
    return Source(name="whole server", text=f"{figure.text}{f'; {figure.note}' if figure.note else ''}")


def plain_promise(status: RuleStatus, sources: Sequence[Source] = ()) -> Promise:
    """What the rule itself says; who feels it and what it costs is put in by `Promises`."""
    rule, condition = status.rule, status.condition
    stands = standing(status)
    return Promise(
        rule=rule.name,
        title=rule.title,
        standing=stands,
        state=condition.state,
        critical=condition.level > 1,
        value=said(condition.reading.value, rule.unit),
        target=limit_said(rule, rule.warning),
        trend=status.trend,
        samples=condition.reading.samples,
        window=window_words(rule),
        recovering=condition.state == "recovering",
        felt=condition.felt,
        felt_noun=rule.felt,
        worst=condition.reading.worst,
        next_step=condition.reading.advice or rule.runbook,
        page=PAGES.get(rule.name, ""),
        reason=why_unknown(status) if stands == "unknown" else "",
        sources=tuple(sources),
    )
