"""Replay: when a rule would have fired over stored history, by the very judge that fires it now; pure.

Owns what is counted: how often, how long, how soon, and how many messages would have woken somebody. The rule is judged alone:
what a deeper cause would have explained was told once with that, not once for each rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.monitor.alerts.figures import Figures, Judged
from core.monitor.alerts.incident import Breach, Incident
from core.monitor.alerts.judge import BLIND_SECONDS, CRITICAL, WARNING, Condition, Reading, judge
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.telling import telling

TICK_SECONDS = 5  # As often as the console judges.
WAKES = frozenset({"critical", "repeat"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySpan:
    """One time that it would have fired: `begun_at` is when the first bad step began; `over_at` None: it goes on."""

    begun_at: float
    fired_at: float
    level: int
    critical_at: float | None = None
    over_at: float | None = None
    felt: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """What a rule would have done up to `end`; `woken` are the messages of it that wake."""

    rule: Rule
    spans: tuple[ReplaySpan, ...]
    woken: int
    end: float

    @property
    def critical(self) -> int:
        """How often it would have been critical."""
        return sum(span.level == CRITICAL for span in self.spans)

    @property
    def fired_seconds(self) -> float:
        """How long in all."""
        return sum((self.end if span.over_at is None else span.over_at) - span.fired_at for span in self.spans)

    @property
    def detection_seconds(self) -> tuple[float, float] | None:
        """From the first bad step to the firing, the shortest and the longest; None: it never fired."""
        found = [span.fired_at - span.begun_at for span in self.spans]
        return (min(found), max(found)) if found else None


def replay(rule: Rule, figures: Figures, first: float) -> Replay:
    """Judge all of it from `first` on; what lies before only fills the windows."""
    run = _Run(rule, figures, figures.judged(rule))
    start = int(np.searchsorted(figures.times, first, side="right"))
    for place in run.places(start):
        run.see(place)
    run.finish()
    end = float(figures.times[-1])
    return Replay(rule, tuple(run.spans), run.woken, end)


class _Run:
    """One replay while it lasts."""

    def __init__(self, rule: Rule, figures: Figures, judged: Judged) -> None:
        self.spans: list[ReplaySpan] = []
        self.woken = 0
        self._rule = rule
        self._figures = figures
        self._bad = judged.bad
        self._condition = Condition()
        self._incident: Incident | None = None
        self._breached = 0
        self._starts = np.flatnonzero(judged.beyond & figures.known)
        self._known = figures.known.tolist()
        columns = (figures.times, figures.value, figures.samples, judged.felt, judged.felt_new, figures.running_seconds)
        self._rows = list(zip(*(column.tolist() for column in (*columns, judged.goes_on)), strict=True))

    def places(self, start: int) -> Iterator[int]:
        """The steps to look at: where the rule rests, nothing changes before the next one beyond a limit."""
        place = start
        while place < len(self._known):
            if self._condition.resting:
                following = int(np.searchsorted(self._starts, place))
                if following == len(self._starts):
                    return
                place = int(self._starts[following])
            if self._known[place]:
                yield place
            place += 1

    def see(self, place: int) -> None:
        """Judge one step, and until the next one again at each tick at which something lasts long enough."""
        now, value, samples, felt, felt_new, running, goes_on = self._rows[place]
        known = None if math.isnan(value) else value
        reading = Reading(known, samples, felt, felt_new, running_seconds=running, goes_on=goes_on)
        self._judge(reading, now, place)
        until = now + self._figures.step_seconds
        while (again := self._due(now)) < until:
            now, reading = again, replace(reading, felt_new=0)
            self._judge(reading, now, place)

    def _due(self, now: float) -> float:
        """The next tick at which time alone changes something."""
        rule, seen = self._rule, self._condition
        told_at = self._incident.told_at if self._incident else None
        lasting = (
            (seen.critical_since, rule.critical_pending_seconds),
            (seen.warning_since, rule.warning_pending_seconds),
            (seen.clear_since, rule.clear_seconds),
            (seen.blind_since, BLIND_SECONDS),
            (told_at, rule.repeat_seconds),
        )
        due = min(
            (since + seconds for since, seconds in lasting if since is not None and since + seconds > now), default=math.inf
        )
        return now + math.ceil((due - now) / TICK_SECONDS) * TICK_SECONDS if due < math.inf else due

    def _judge(self, reading: Reading, now: float, place: int) -> None:
        before = self._condition
        after = self._condition = judge(self._rule, before, reading, now)
        if after.breached_at is not None and before.breached_at is None:
            self._breached = place
        if after.level > before.level:
            self._rise(after, now)
        elif before.level and not after.level:
            self._put(over_at=now, felt=before.felt)
            self._incident = None
        if after.level == CRITICAL:
            self._tell(after, now)

    def _rise(self, after: Condition, now: float) -> None:
        critical_at = now if after.level == CRITICAL else None
        if self._incident is None:
            self.spans.append(ReplaySpan(begun_at=self._begun(), fired_at=now, level=after.level, critical_at=critical_at))
            self._incident = Incident(key="replay", cause=self._rule.name, title="", level=WARNING, opened_at=now)
        else:
            self._put(level=after.level, critical_at=critical_at)
        breach = Breach(rule=self._rule.name, level=after.level, since=self.spans[-1].begun_at, text="")
        self._incident = self._incident.with_breach(breach)

    def _tell(self, after: Condition, now: float) -> None:
        assert self._incident is not None
        critical_now = after.critical_since is not None
        kind = telling(self._incident, (), self._rule.repeat_seconds, now, critical_now=critical_now)
        if kind is not None:
            self._incident = replace(self._incident, told_level=CRITICAL, told_at=now)
            self.woken += kind in WAKES

    def finish(self) -> None:
        """What goes on at the end has been felt by so many."""
        if self._incident is not None:
            self._put(felt=self._condition.felt)

    def _begun(self) -> float:
        """When the bad steps began that led to the breach; steps in which nothing happened do not end their row."""
        bad, happened, breached = self._bad, self._figures.happened, self._breached
        width = int(self._figures.widths[breached])
        newest = next((place for place in range(breached, max(-1, breached - width), -1) if bad[place]), breached)
        begun = place = newest
        while place > 0 and (bad[place - 1] or not happened[place - 1]) and begun - place < width:
            place -= 1
            if bad[place]:
                begun = place
        return float(self._figures.times[begun]) - self._figures.step_seconds

    def _put(self, **values: object) -> None:
        self.spans[-1] = replace(self.spans[-1], **values)  # type: ignore[arg-type]
