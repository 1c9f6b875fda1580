"""Judge: one rule and one reading after the other become a state; pure, with the time as an argument.

Owns when a breach begins (it lasted), when it is over (clear of the limit, and that lasted too) and what is no ground to judge:
too few samples, an old figure, a process that has just started. None of these is a value of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from core.monitor.alerts.rules import Rule

State = Literal["ok", "pending", "warning", "critical", "recovering", "no_data", "stale", "warming_up"]
NONE, WARNING, CRITICAL = 0, 1, 2
BLIND: frozenset[State] = frozenset({"no_data", "stale", "warming_up"})  # No ground to judge by.
GAP_SECONDS = 60.0  # After a pause this long (a suspended machine) nothing is known to have lasted.
BLIND_SECONDS = 1_800.0  # A breach of which nothing more is seen for so long is over.


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure as it stands: `felt` of its samples lie beyond the warning limit, `felt_new` of those since the last reading.

    `running_seconds` is how long what is measured has run, `worst` names what takes the largest part of it, and `advice`
    says better than the rule's runbook what to do. `goes_on` is False where the newest seconds are well: the rest of a spike.
    `processes` is how many it is of.
    """

    value: float | None = None
    samples: int = 0
    felt: int = 0
    felt_new: int = 0
    age_seconds: float = 0.0
    running_seconds: float = float("inf")
    worst: str = ""
    advice: str = ""
    goes_on: bool = True
    processes: int = 1


class Condition(NamedTuple):
    """What a rule's readings amount to; times are the caller's seconds, `level` what has been found so far in this breach."""

    state: State = "no_data"
    since: float = 0.0
    level: int = NONE
    breached_at: float | None = None
    felt: int = 0
    reading: Reading = Reading()
    judged_at: float = float("-inf")
    warning_since: float | None = None
    critical_since: float | None = None
    clear_since: float | None = None
    blind_since: float | None = None

    @property
    def breached(self) -> bool:
        """Whether its figure lies beyond a limit, if only for a moment so far."""
        return self.level > NONE or self.warning_since is not None

    @property
    def resting(self) -> bool:
        """Whether time alone changes nothing."""
        return self.level == NONE and self.warning_since is None and self.critical_since is None


def judge(rule: Rule, before: Condition, reading: Reading, now: float) -> Condition:
    """The condition after one more reading."""
    if now - before.judged_at > GAP_SECONDS:
        before = before._replace(warning_since=None, critical_since=None, clear_since=None, blind_since=None)
    elif before.resting and reading == before.reading:
        return before
    blind = _blind(rule, reading)
    after = _unseen(before, blind, now, off=not rule.enabled) if blind else _seen(rule, before, reading, now)
    since = before.since if after.state == before.state and before.since else now
    return after._replace(since=since, reading=reading, judged_at=now)


def _blind(rule: Rule, reading: Reading) -> State | None:
    if reading.age_seconds > rule.stale_seconds:
        return "stale"
    if reading.running_seconds < rule.warm_up_seconds:
        return "warming_up"
    if reading.value is None or reading.samples < rule.minimum_samples or not rule.enabled:
        return "no_data"
    return None


def _unseen(before: Condition, state: State, now: float, *, off: bool) -> Condition:
    blind_since = now if before.blind_since is None else before.blind_since
    over = off or (state == "no_data" and now - blind_since >= BLIND_SECONDS)
    kept = before.level if not over else NONE
    after = before._replace(
        state=state, level=kept, warning_since=None, critical_since=None, clear_since=None, blind_since=blind_since
    )
    return after if kept else after._replace(breached_at=None, felt=0)


def _seen(rule: Rule, before: Condition, reading: Reading, now: float) -> Condition:
    value = reading.value or 0.0
    beyond = rule.beyond(value, rule.warning)
    critical = rule.beyond(value, rule.critical) and reading.felt >= rule.critical_felt
    warning_since = _lasting(before.warning_since, beyond, now)
    critical_since = _lasting(before.critical_since, critical, now)
    clear_since = _lasting(before.clear_since, rule.cleared(value), now)
    level = before.level
    if critical_since is not None and now - critical_since >= rule.critical_pending_seconds and reading.goes_on:
        level = CRITICAL
    elif warning_since is not None and now - warning_since >= rule.warning_pending_seconds:
        level = max(level, WARNING)
    elif clear_since is not None and now - clear_since >= rule.clear_seconds:
        level = NONE
    in_breach = level > NONE or beyond
    begins = in_breach and before.breached_at is None
    return before._replace(
        state=_state(level, beyond, clear_since is not None),
        level=level,
        breached_at=(now if begins else before.breached_at) if in_breach else None,
        felt=(reading.felt if begins else before.felt + reading.felt_new) if in_breach else 0,
        warning_since=warning_since,
        critical_since=critical_since,
        clear_since=clear_since,
        blind_since=None,
    )


def _lasting(since: float | None, true: bool, now: float) -> float | None:
    if not true:
        return None
    return now if since is None else since


def _state(level: int, beyond: bool, clear: bool) -> State:
    if level:
        return "recovering" if clear else "critical" if level == CRITICAL else "warning"
    return "pending" if beyond else "ok"
