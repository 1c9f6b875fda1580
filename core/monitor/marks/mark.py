"""Mark: something that happened at a moment, or from one to another, on the time axis of the charts.

Owns the words for its kinds and the bounds of its text. Times are seconds since 1970 as the wall clock has them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from core.errors import UsageError

KeptKind = Literal["deploy", "change", "note"]
Kind = Literal["deploy", "change", "note", "warm", "index", "import", "load", "remedy", "alert"]
Level = Literal["", "warning", "critical"]
KEPT_KINDS: tuple[KeptKind, ...] = get_args(KeptKind)

TEXT_MOST = 200
WHO_MOST = 100
LINK_MOST = 500
SORTS_USUAL = 4
PAST_MOST_SECONDS = 14 * 86_400.0  # The longest window of a chart.
AHEAD_MOST_SECONDS = 120.0  # Clocks of other machines; such a mark is made now.
# An address of the web or a path of the console; "//" would name another host.
LINK = re.compile(r"(https?://[^\s\"'<>\\]+|/([^/\s\"'<>\\][^\s\"'<>\\]*)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment, or a span to `end`, or one that still runs; with a `count` above 1 it stands for so many of its kind."""

    key: str
    kind: Kind
    text: str
    at: float
    end: float | None = None
    running: bool = False
    level: Level = ""
    who: str = ""
    link: str = ""
    count: int = 1

    @property
    def last(self) -> float:
        """When it was over; a moment ends as it begins, what runs has no end."""
        return float("inf") if self.running else self.at if self.end is None else self.end


def new_mark(kind: str, text: str, who: str, at: datetime | None, link: str, now: float) -> Mark:
    """A mark to be kept, its words without control characters; raises UsageError for what cannot be one."""
    words = one_line(text)
    if kind not in KEPT_KINDS:
        raise UsageError(f"There is no kind {one_line(kind)[:40]!r} of mark.", f"Use one of {', '.join(KEPT_KINDS)}.")
    if not words or len(words) > TEXT_MOST:
        raise UsageError(f"A mark has 1 to {TEXT_MOST} characters of text.", "Say in one line what happened.")
    if link and (len(link) > LINK_MOST or not LINK.fullmatch(link)):
        raise UsageError("The link is neither an address of the web nor a path.", "Begin it with https:// or with one /.")
    moment = now if at is None else _reached(at, now)
    return Mark(key="", kind=kind, text=words, at=moment, who=one_line(who)[:WHO_MOST] or "unknown", link=link)


def one_line(text: str) -> str:
    """The words in one line, without control characters, half characters and signs that turn the direction of what follows."""
    line = " ".join(text.split())
    return line if line.isprintable() else " ".join("".join(sign for sign in line if sign.isprintable()).split())


def moment_of(text: str) -> datetime:
    """A moment as RFC 3339 writes it; raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"{one_line(text)[:40]!r} is no moment with its zone.", "Write it as 2026-05-01T12:00:00Z.")
    return moment


def in_reach(at: datetime, now: float | None = None) -> bool:
    """Whether a mark can be made of that moment."""
    seconds, now = at.timestamp(), time.time() if now is None else now
    return now - PAST_MOST_SECONDS <= seconds <= now + AHEAD_MOST_SECONDS


def grouped(marks: Sequence[Mark], first: float, end: float, most: int) -> tuple[Mark, ...]:
    """The marks of one chart, oldest first; where there are more than `most`, those of a sort that has many become fewer.

    A sort is a kind, a level, and moments or spans: a critical alert is not hidden in a group of others.
    """
    if len(marks) <= most:
        return tuple(marks)
    each = max(1, most // SORTS_USUAL)
    sorts: dict[tuple[Kind, Level, bool], list[Mark]] = {}
    for mark in marks:
        sorts.setdefault((mark.kind, mark.level, mark.running or mark.end is not None), []).append(mark)
    few = [mark for sort in sorts.values() for mark in (sort if len(sort) <= each else _fewer(sort, first, end, each))]
    return tuple(sorted(few, key=lambda mark: mark.at))


def _fewer(marks: Sequence[Mark], first: float, end: float, most: int) -> list[Mark]:
    """Those that begin close together as one."""
    places: dict[int, list[Mark]] = {}
    for mark in marks:
        places.setdefault(int(max(0.0, mark.at - first) * most / max(end - first, 1.0)), []).append(mark)
    return [_one(group) for group in places.values()]


def _one(group: Sequence[Mark]) -> Mark:
    if len(group) == 1:
        return group[0]
    newest, count = group[-1], sum(mark.count for mark in group)
    ends = [mark.end for mark in group if mark.end is not None]
    return replace(
        newest, at=group[0].at, end=max(ends, default=None) if newest.running or ends else None,
        running=any(mark.running for mark in group), count=count,
    )  # fmt: skip


def _reached(at: datetime, now: float) -> float:
    if not in_reach(at, now):
        raise UsageError(
            f"{at.isoformat(sep=' ', timespec='seconds')} is in the future, or more than 14 days ago.",
            "A chart shows 14 days: leave the moment out for now, or give one of them.",
        )
    return min(at.timestamp(), now)
