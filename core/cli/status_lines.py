"""StatusLines: how the platform fares as lines of a terminal, as wide as it is, in colour where it has any."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.cli.terminal import harmless
from core.monitor.alerts.words import counted, lasting
from core.platform.status import StatusDependency, StatusIncident, StatusPromise, StatusView
from core.platform.verdict import headline

# SGR codes (ECMA-48): the eight basic colours are those that the operator's own theme sets.
COLOURS = {"fine": "1;32", "not_fine": "1;31", "cannot_tell": "1;33", "head": "1", "bad": "31", "quiet": "2"}
WIDTH_LEAST = 20
LOST_FROM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line before it is broken; `look` is a name of COLOURS or empty."""

    text: str
    look: str = ""
    indent: int = 0


def drawn(view: StatusView, source: str, *, width: int, colour: bool) -> list[str]:
    """The lines, none of them wider than the terminal; `source` says where they come from."""
    broken: list[str] = []
    for line in _lines(view, source):
        space = " " * line.indent
        parts = textwrap.wrap(
            " ".join(harmless(line.text).split()), max(width, WIDTH_LEAST), initial_indent=space, subsequent_indent=f"{space}  "
        )
        code = COLOURS.get(line.look, "") if colour else ""
        broken += [f"\x1b[{code}m{part}\x1b[0m" if code else part for part in parts or [""]]
    return broken


def changes(view: StatusView) -> object:
    """What is worth a new block where lines stay: states and words, and not values and ages that move all the time."""
    return (
        view.state,
        view.warning,
        view.judged,
        tuple((item.title, item.state, item.error) for item in view.dependencies),
        tuple(sorted((item.rule, item.critical) for item in view.promises if item.standing == "broken")),
        tuple(sorted(item.rule for item in view.promises if item.standing == "unknown")),
        tuple((item.key, item.level, item.acknowledged_by) for item in view.incidents),
    )


def _lines(view: StatusView, source: str) -> Iterator[Line]:
    yield Line(said(view), view.state)
    if view.next_step:
        yield Line(f"Next: {view.next_step}")
    yield Line("")
    for dependency in view.dependencies:
        yield from _dependency(dependency, view.at)
    yield Line("")
    yield from _promises(view)
    yield from _incidents(view)
    yield Line("")
    yield Line(f"{view.environment}, {source}, {view.at.astimezone():%Y-%m-%d %H:%M:%S %Z}", "quiet")


def said(view: StatusView) -> str:
    """The first line, in this machine's zone."""
    return headline(
        view.verdict, lambda moment: _clock(moment, view.at), lambda since: lasting((view.at - since).total_seconds())
    )


def _dependency(item: StatusDependency, now: datetime) -> Iterator[Line]:
    since = f" for {lasting((now - item.since).total_seconds())}" if item.since else ""
    asked = "not asked yet" if item.age_seconds is None else f"asked {lasting(item.age_seconds)} ago"
    error = f": {item.error}" if item.error else ""
    name = f"{item.title} {item.version}".strip()
    yield Line(f"{name} is {item.state}{since}, {item.where}, {asked}{error}", "bad" if item.state == "down" else "")
    if item.state == "down" and item.next_step:
        yield Line(f"Next: {item.next_step}", indent=2)


def _promises(view: StatusView) -> Iterator[Line]:
    if not view.judged:
        yield Line("Promises are judged by the console only.")
        return
    broken = [item for item in view.promises if item.standing == "broken"]
    if broken:
        yield Line(f"{counted(len(broken), 'promises')} broken, the worst first", "head")
    for item in broken:
        yield from _broken(item, view.at)
    for standing, words in (("pending", "Beyond the limit, not yet for long enough"), ("kept", "Kept")):
        found = [_figure(item) for item in view.promises if item.standing == standing]
        if found:
            yield Line(f"{words}: {', '.join(found)}")
    unknown = [
        f"{item.title} ({item.reason})" if item.reason else item.title for item in view.promises if item.standing == "unknown"
    ]
    if unknown:
        yield Line(f"Cannot be judged: {', '.join(unknown)}", "quiet")


def _figure(item: StatusPromise) -> str:
    return f"{item.title} {item.value}" + (f" ({item.target})" if item.target != item.value else "")


def _broken(item: StatusPromise, now: datetime) -> Iterator[Line]:
    parts = [
        f"{item.title} is {item.value}, promised is {item.target}",
        _since(item.since, now) if item.since else "",
        item.trend,
        item.felt,
        f"users lost {lasting(item.lost_seconds)}" if item.lost_seconds >= LOST_FROM_SECONDS else "",
    ]
    yield Line("; ".join(part for part in parts if part), "bad" if item.critical else "", indent=2)
    if item.next_step:
        yield Line(f"Next: {item.next_step}", indent=4)


def _incidents(view: StatusView) -> Iterator[Line]:
    if not view.incidents:
        yield Line("No incident is open." if view.judged else "No open incident is on record, or the store does not answer.")
        return
    yield Line("Open incidents" if view.judged else "Incidents that were open when the console ended", "head")
    for item in view.incidents:
        yield from _incident(item, view.at)


def _incident(item: StatusIncident, now: datetime) -> Iterator[Line]:
    felt = counted(item.felt, "requests") + " felt it" if item.felt else ""
    seen = f"seen by {item.acknowledged_by}" if item.acknowledged_by else ""
    head = f"{item.level}, {_since(item.opened_at, now)}: {item.title}"
    yield Line("; ".join(part for part in (head, felt, seen) if part), "bad" if item.level == "critical" else "", indent=2)
    if item.next_step:
        yield Line(f"Next: {item.next_step}", indent=4)


def _since(since: datetime, now: datetime) -> str:
    return f"since {_clock(since, now)} ({lasting((now - since).total_seconds())})"


def _clock(moment: datetime, now: datetime) -> str:
    here = moment.astimezone()
    near = abs(now - moment) < timedelta(hours=12)
    return f"{here:%H:%M:%S}" if near else f"{here:%Y-%m-%d %H:%M}"


def fitted(lines: Sequence[str], rows: int) -> Iterable[str]:
    """As many lines as the terminal has; the last says how many more there are."""
    if len(lines) <= rows:
        return lines
    return (*lines[: rows - 1], f"... and {len(lines) - rows + 1} more lines")
