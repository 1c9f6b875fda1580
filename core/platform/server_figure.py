"""ServerFigure: one figure of a whole server over the last minutes, and the window of differences that it is made of."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")

WINDOW_SECONDS = 300.0
NEARLY_SECONDS = 285.0  # All of the window, but for the time between two looks.
MORE_SECONDS = 315.0  # Beyond that the server did not answer for a while, and a difference began before the window.
NOT_YET = "A difference needs two looks, ten seconds apart."

Statistic = Literal["mean", "share", "now"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFigure:
    """What stands beside a promise, labelled *whole server*; `value` None: there is none, and `note` says why.

    `text` says it in words. `unit` is seconds or share; `samples` are statements, lookups or commands; `window_seconds` is what
    was looked at, up to five minutes, and 0 for what stands now.
    """

    text: str = "not known"
    statistic: Statistic
    value: float | None = None
    unit: Literal["seconds", "share"]
    samples: int = 0
    window_seconds: float = 0.0
    age_seconds: float = 0.0
    note: str = NOT_YET


def none(figure: ServerFigure, note: str) -> ServerFigure:
    """The same without a value, and why."""
    return replace(figure, text="not known", value=None, samples=0, window_seconds=0.0, note=note)


class _Interval(NamedTuple, Generic[T]):
    begin: float
    end: float
    moved: T


class Differences(Generic[T]):
    """What was added between each two looks of the last five minutes."""

    def __init__(self) -> None:
        self._intervals: deque[_Interval[T]] = deque()

    def add(self, begin: float, end: float, moved: T) -> None:
        """Take the next, and drop what is too old."""
        self._intervals.append(_Interval(begin, end, moved))
        while self._intervals[0].end <= end - WINDOW_SECONDS:
            self._intervals.popleft()

    def clear(self) -> None:
        """Begin anew."""
        self._intervals.clear()

    def moved(self) -> tuple[T, ...]:
        """All of them, the oldest first."""
        return tuple(interval.moved for interval in self._intervals)

    def covered_seconds(self) -> float:
        """How long they span together."""
        return sum(interval.end - interval.begin for interval in self._intervals)
