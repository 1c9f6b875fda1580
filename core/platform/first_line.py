"""FirstLine: whether the platform keeps its promises, since when not, who feels it and what to do, in one line; pure.

The one function behind the overview, the alerts page, `GET /status`, the browser's tab and the command line, so that none of
them says another thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from core.monitor.alerts.grouping import Grouping
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import BLIND, CRITICAL
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.view import AlertsView, RuleStatus
from core.monitor.alerts.words import counted, lasting, said
from core.platform.felt import Felt
from core.platform.verdict import Verdict, headline

STALLED_SECONDS = 30.0  # Six ticks.
FELT_FROM = 0.02  # One slow request of fifty is told as what is felt of another's breach; fewer are there at any time.
STEP_MOST = 70  # Characters of a next step that fit into the line.
TRAFFIC = "Make traffic on the Overview, or call the API."
SIGNS = {"fine": "✓", "not_fine": "✕", "cannot_tell": "?"}

WhoFeels = Callable[[Rule], Felt | None]


def first_line(alerts: AlertsView, readiness: Verdict, who_feels: WhoFeels) -> Verdict:
    """The worst finding decides; where nobody judges, what the servers say."""
    age = alerts.stats.tick_age_seconds
    if not alerts.stats.judges or (age is None and readiness.state != "fine"):
        return readiness
    if age is None or age > STALLED_SECONDS:
        return stalled(age)
    if alerts.open:
        return _not_fine(alerts, who_feels)
    if readiness.state == "not_fine" and readiness.since is not None:
        # Down, but not yet for long enough to be an incident. A set-up that failed has no beginning, and is not fine at once.
        down = lasting((alerts.moment(alerts.now) - readiness.since).total_seconds())
        return Verdict("cannot_tell", readiness.since, f"{readiness.reason}, for {down} so far", readiness.next_step)
    if readiness.state != "fine":
        return readiness
    return _fine(alerts)


def stalled(tick_age_seconds: float | None) -> Verdict:
    """What can be said while the judging stands still."""
    if tick_age_seconds is None:
        return Verdict("cannot_tell", None, "no rule was judged yet", "Wait a moment: the rules are judged every few seconds.")
    reason = f"no rule was judged for {lasting(tick_age_seconds)}"
    return Verdict("cannot_tell", None, reason, "Read the log; restart the console if it lasts.")


def spoken(verdict: Verdict, say_moment: Callable[[datetime], str], now: datetime) -> str:
    """The whole line with its next step; moments are said in the reader's zone by the caller."""
    line = headline(verdict, say_moment, lambda since: lasting((now - since).total_seconds()))
    return f"{line}; next: {short_step(verdict.next_step)}" if verdict.next_step else line


def tab_title(verdict: Verdict, now: datetime) -> str:
    """The line as short as a browser's tab is; its sign is understood without colour."""
    since = f", {lasting((now - verdict.since).total_seconds())}" if verdict.state == "not_fine" and verdict.since else ""
    words = {"fine": "Fine", "not_fine": f"Not fine{since}", "cannot_tell": "Cannot tell"}[verdict.state]
    return f"{'!' if verdict.warning else SIGNS[verdict.state]} {words}"


def short_step(step: str) -> str:
    """The first thing to do of a next step, as the end of a sentence."""
    first = re.split(r"(?<=[\w`)])\. ", step.strip())[0].removesuffix(".")
    if len(first) > STEP_MOST:
        first = re.split(r"[:;] ", first)[0]
    word = first.partition(" ")[0]
    return first if not word.istitle() or word == "Claude" else first[0].lower() + first[1:]


def _not_fine(alerts: AlertsView, who_feels: WhoFeels) -> Verdict:
    worst = _worst(alerts)
    shown = alerts.shown(worst)
    parts = [worst.title if shown is None else _wrong(alerts, worst, shown, who_feels)]
    if len(alerts.open) > 1:
        parts.append(f"and {len(alerts.open) - 1} more")
    if worst.acknowledged is not None and worst.acknowledged_at(alerts.now):
        parts.append(f"seen by {worst.acknowledged.who}")
    if worst.running and worst.running <= alerts.silenced:
        parts.append("silenced")
    began = min((breach.since for breach in worst.breaches), default=worst.opened_at)
    return Verdict("not_fine", alerts.moment(began), ", ".join(parts), alerts.advice(worst), warning=worst.level < CRITICAL)


def _worst(alerts: AlertsView) -> Incident:
    """The highest level first, then what can be judged now, then a server that is down, then what most felt."""

    def place(incident: Incident) -> tuple[int, bool, bool]:
        shown = alerts.shown(incident)
        blind = shown is None or shown.condition.state in BLIND
        return (-incident.level, blind, shown is None or shown.rule.kind != "dependency")

    return min(alerts.open, key=place)


def _wrong(alerts: AlertsView, incident: Incident, cause: RuleStatus, who_feels: WhoFeels) -> str:
    """What is wrong in the words of who feels it, and the cause where that is another thing."""
    running = [item for item in alerts.rules if item.rule.name in incident.running]
    if running and all(item.condition.state == "recovering" for item in running):
        return _recovering(cause if cause in running else running[0])
    felt = _felt(alerts, cause.rule.name, who_feels)
    if cause.rule.kind == "dependency" and cause.condition.reading.value:
        down = f"{cause.rule.title} does not answer"
        return f"{down}; {felt.words}" if felt else down
    own = who_feels(cause.rule)
    if felt is None:
        return own.words if own else _figure(cause)
    return felt.words if cause.rule.requests else f"{felt.words}: {_figure(cause)}"


def _felt(alerts: AlertsView, cause: str, who_feels: WhoFeels) -> Felt | None:
    """What most requests feel of a cause: by a rule that is broken, or enough of them without it."""
    explains = Grouping([item.rule for item in alerts.rules]).explains
    requests = [item for item in alerts.rules if item.rule.requests]
    asked = [item for item in requests if item.rule.name == cause or explains(cause, item.rule.name)]
    found = [(item.condition.breached, who_feels(item.rule)) for item in asked]
    told = [felt for breached, felt in found if felt is not None and (breached or felt.share >= FELT_FROM)]
    return max(told, key=lambda felt: felt.count, default=None)


def _figure(status: RuleStatus) -> str:
    """A figure with its value, where there is one now."""
    rule, reading = status.rule, status.condition.reading
    if status.condition.state in BLIND or reading.value is None:
        return f"{rule.title} was broken and cannot be judged now"
    if rule.unit == "count":
        return f"{rule.title}: {reading.worst or said(reading.value, rule.unit)}"
    return f"{rule.title} is {said(reading.value, rule.unit)}"


def _recovering(status: RuleStatus) -> str:
    rule, value = status.rule, status.condition.reading.value
    again = "answers again" if rule.unit == "down" else f"is back at {said(value, rule.unit)}"
    return f"{rule.title} {again}, not yet for {lasting(rule.clear_seconds)}"


def _fine(alerts: AlertsView) -> Verdict:
    """Fine, if there is anything to judge requests by, and not for longer than that."""
    if alerts.seen_since is None:
        states = {item.condition.state for item in alerts.rules if item.rule.requests}
        if "warming_up" in states:
            return Verdict("cannot_tell", None, "the console has just started")
        return Verdict("cannot_tell", None, "no traffic", TRAFFIC)
    ended = max((item.resolved_at or 0.0 for item in alerts.resolved), default=0.0)
    standings = [item.condition.state for item in alerts.rules]
    kept, pending = standings.count("ok"), standings.count("pending")
    others = len(standings) - kept - pending
    parts = (
        f"{counted(kept, 'promises')} kept",
        f"{pending} beyond the limit for a moment" if pending else "",
        f"{others} cannot be judged now" if others else "",
    )
    reason = ", ".join(part for part in parts if part)
    return Verdict("fine", alerts.moment(max(ended, alerts.seen_since)), reason)
