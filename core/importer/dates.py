"""Dates: days and moments in the ways that people write them.

Owns the rule for 01/02/2020: nobody can tell which is the month, so the column decides where one of its values can be read in
one way only, and else the operator is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

Order = Literal["mdy", "dmy"]

_SLASHED = re.compile(r"^(\d{1,2})([/-])(\d{1,2})\2(\d{4})(?=$|[ T,])")
_DOTTED = re.compile(r"^(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?=$|[ T,])")
_YEAR_FIRST = re.compile(r"^(\d{4})[/.-](\d{1,2})(?:[/.-](\d{1,2}))?(?=$|[ T])")
_TIME = re.compile(r"^[ T,]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm])?\s*(Z|[+-]\d{2}:?\d{2})?$")
EARLIEST, LATEST = date(1800, 1, 1), date(2199, 12, 31)
CACHED = 8_192  # Dates repeat; a column of ten thousand different ones is still quick.
AMBIGUOUS = "the order of day and month cannot be told: give a date format such as %m/%d/%Y or %d/%m/%Y"


def order_of(values: Iterable[str]) -> tuple[Order | None, bool]:
    """Which of day and month comes first in dates with slashes, and whether there are any; no order where it cannot be told."""
    seen = {"mdy": False, "dmy": False}
    slashed = False
    for text in values:
        if match := _SLASHED.match(text.strip()):
            slashed = True
            first, second = int(match[1]), int(match[3])
            seen["dmy"] |= first > 12
            seen["mdy"] |= second > 12
    if seen["mdy"] == seen["dmy"]:
        return None, slashed
    return ("mdy" if seen["mdy"] else "dmy"), slashed


def day_reader(order: Order | None, date_format: str | None) -> Callable[[str], date]:
    """Reads a day; raises ValueError with the reason."""
    moment = moment_reader(order, date_format)

    def read(text: str) -> date:
        return moment(text).date()

    return lru_cache(CACHED)(read)


def moment_reader(order: Order | None, date_format: str | None) -> Callable[[str], datetime]:
    """Reads a moment, in UTC where no zone is written; raises ValueError with the reason."""

    def read(text: str) -> datetime:
        moment = _by_format(text, date_format) if date_format else _by_shape(text, order)
        if not EARLIEST <= moment.date() <= LATEST:
            raise ValueError(f"{text!r} is not between the years {EARLIEST.year} and {LATEST.year}")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    return lru_cache(CACHED)(read)


def _by_format(text: str, date_format: str) -> datetime:
    try:
        return datetime.strptime(text, date_format)  # noqa: DTZ007 - a missing zone becomes UTC where this is called
    except ValueError:
        raise ValueError(f"{text!r} does not have the date format {date_format}") from None


def _by_shape(text: str, order: Order | None) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if match := _YEAR_FIRST.match(text):
        year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
    elif match := _DOTTED.match(text):
        year, month, day = int(match[3]), int(match[2]), int(match[1])
    elif match := _SLASHED.match(text):
        if order is None:
            raise ValueError(f"{text!r}: {AMBIGUOUS}")
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        month, day = (first, second) if order == "mdy" else (second, first)
    else:
        raise ValueError(f"{text!r} is not a date that is understood; give its format, such as %d.%m.%y")
    try:
        midnight = datetime(year, month, day)  # noqa: DTZ001 - as above
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None
    return _at_time(midnight, text, text[match.end() :])


def _at_time(midnight: datetime, text: str, rest: str) -> datetime:
    if not rest:
        return midnight
    match = _TIME.match(rest)
    if match is None:
        raise ValueError(f"{text!r} has a time of day that is not understood")
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if match[4]:
        hour = hour % 12 + (12 if match[4].lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} has a time of day that does not exist")
    zone = match[5]
    moment = midnight.replace(hour=hour, minute=minute, second=second)
    if zone is None:
        return moment
    if zone == "Z":
        return moment.replace(tzinfo=UTC)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return (moment - offset if zone[0] == "+" else moment + offset).replace(tzinfo=UTC)
