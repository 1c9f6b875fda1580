"""Described values: how people write amounts, counts, days, stages and types of a lead.

Each reader raises ValueError with the rest of a sentence that begins with the field's name.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.database.schema import LEAD_STATUSES, PROPERTY_TYPES
from core.importer.dates import moment_reader
from core.platform.lead_facts import property_type_of, stage_of

VALUE_MOST_CHARACTERS = 100
AMOUNT_MOST = 1_000_000_000.0  # A billion dollars; what is more is no home.
COUNT_MOST = 100_000
DAYS_MOST = 36_500
SHOWN_CHARACTERS = 40

_UNITS = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mio": 1e6, "mil": 1e6, "million": 1e6, "": 1.0}
_AMOUNT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?) ?(k|thousand|mio|million|mil|m)?")
_ZERO = re.compile(r"0+ ?k?")
_GROUPS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_MONEY = re.compile(r"us\$|usd|\$|dollars?")
_RANGE = re.compile(r" ?(?:-|\u2013|\u2014|\bto\b|\band\b) ?")
_MOST = re.compile(r"^(?:up to|under|below|max(?:imum)?|at most|less than|<=?) ?")
_LEAST = re.compile(r"^(?:over|above|from|min(?:imum)?|at least|more than|>=?) ?")
_NUMBER_WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_AGO = re.compile(r"([0-9]{1,5}|[a-z]{1,5}) ?(minutes?|mins?|hours?|h|days?|d|weeks?|w|months?|years?|y)(?: ago)?")
_DAYS = {"m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0, "month": 30.44, "y": 365.25}
_NEVER = ("never", "none", "never contacted", "no contact")


def read_budget(value: object) -> dict[str, Any]:
    """Least and most dollars of '450000', '450k', '300k-400k', 'under 500k', '1m+', or of a pair of numbers."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return _span(0.0 if value[0] == 0 else read_amount(value[0]), read_amount(value[1]))
    if not isinstance(value, str):
        return {"budget_most": read_amount(value)}
    text = _MONEY.sub(" ", _GROUPS.sub("", _short_text(value).lower()))
    text = " ".join(text.split()).removeprefix("between ")
    if match := _MOST.match(text):
        return {"budget_most": _amount(text[match.end() :], value)}
    if text.endswith("+") or _LEAST.match(text):
        return {"budget_least": _amount(_LEAST.sub("", text).removesuffix("+"), value)}
    parts = _RANGE.split(text)
    if len(parts) == 2 and parts[0]:
        most = _amount(parts[1], value)
        unit = _AMOUNT.fullmatch(parts[1].strip())
        least = parts[0] + (unit[2] or "" if unit and parts[0].replace(".", "").isdigit() and float(parts[0]) < 1000 else "")
        return _span(0.0 if _ZERO.fullmatch(least) else _amount(least, value), most)
    return {"budget_most": _amount(text, value)}


def read_amount(value: object) -> float:
    """Dollars above 0."""
    if isinstance(value, str):
        return _amount(_MONEY.sub(" ", _GROUPS.sub("", _short_text(value).lower())), value)
    return _bounded(_number(value), 0, AMOUNT_MOST, value, "dollars", above=True)


def read_count(value: object) -> int:
    """How many interactions there were."""
    number = _number(value.strip().replace(",", "") if isinstance(value, str) else value)
    if not number.is_integer():
        raise ValueError(f"{shown(value)} is not a whole number")
    return int(_bounded(number, 0, COUNT_MOST, value, "interactions"))


def read_days(value: object) -> float:
    """How many days ago."""
    return _bounded(_number(value.strip() if isinstance(value, str) else value), 0, DAYS_MOST, value, "days")


def read_activity(value: object, now: datetime) -> dict[str, Any]:
    """When the lead was last active: '2 days ago', 'yesterday', 'never', a date or a moment."""
    if isinstance(value, datetime):
        return _since(value, value, now)
    if isinstance(value, date):
        return _since(datetime(value.year, value.month, value.day, tzinfo=UTC), value, now)
    text = " ".join(_short_text(value).split()) if isinstance(value, str) else ""
    word = text.lower()
    if word in _NEVER:
        return {"never_contacted": True}
    if word in ("today", "now", "just now", "yesterday"):
        return {"days_since_activity": 1.0 if word == "yesterday" else 0.0}
    if match := _AGO.fullmatch(word):
        return {"days_since_activity": _bounded(_ago(match, value), 0, DAYS_MOST, value, "days")}
    try:
        moment = moment_reader(None, None)(text)
    except ValueError:
        raise ValueError(f"{shown(value)} says no time: write '2 days ago', a date such as 2026-03-31, or 'never'") from None
    return _since(moment, value, now)


def read_stage(value: object) -> str:
    """A stage of the schema."""
    stage = stage_of(_short_text(value)) if isinstance(value, str) else None
    if stage is None:
        raise ValueError(f"{shown(value)} is none of {', '.join(LEAD_STATUSES)}")
    return stage


def read_type(value: object) -> str:
    """A type of property of the schema; 'single family homes' and 'Condos' too."""
    text = _short_text(value) if isinstance(value, str) else ""
    found = property_type_of(text) or property_type_of(text.strip().rstrip("s"))
    if found is None:
        raise ValueError(f"{shown(value)} is none of {', '.join(PROPERTY_TYPES)}")
    return found


def shown(value: object) -> str:
    """A value as an error message quotes it."""
    try:
        text = repr(value)
    except ValueError:  # A whole number with more digits than Python writes.
        return "the number"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _amount(text: str, value: object) -> float:
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(value)} is no amount: write 450000, 450k or 300k-400k")
    return _bounded(float(match[1]) * _UNITS[match[2] or ""], 0, AMOUNT_MOST, value, "dollars", above=True)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        raise ValueError(f"{shown(value)} is not a number")
    if isinstance(value, str) and not value.isascii():
        raise ValueError(f"{shown(value)} is not a number")
    try:
        number = float(_short_text(value) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is not a number")
    return number


def _bounded(number: float, least: float, most: float, value: object, unit: str, *, above: bool = False) -> float:
    if number < least or (above and number <= least):
        raise ValueError(f"{shown(value)} is {'not above' if above else 'below'} {least:g} {unit}")
    if number > most:
        raise ValueError(f"{shown(value)} is more than {most:,.0f} {unit}")
    return number


def _span(least: float, most: float) -> dict[str, Any]:
    return {"budget_least": least or None, "budget_most": most}


def _ago(match: re.Match[str], value: object) -> float:
    count = int(match[1]) if match[1].isdigit() else _NUMBER_WORDS.get(match[1])
    if count is None:
        raise ValueError(f"{shown(value)} says no number that is understood")
    unit = "month" if match[2].startswith("month") else match[2][0]
    return count * _DAYS[unit]


def _since(moment: datetime, value: object, now: datetime) -> dict[str, Any]:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now:
        raise ValueError(f"{shown(str(value))} lies in the future")
    return {"days_since_activity": (now - moment) / timedelta(days=1)}


def _short_text(text: str) -> str:
    if len(text) > VALUE_MOST_CHARACTERS:
        raise ValueError(f"has {len(text):,} characters, at most {VALUE_MOST_CHARACTERS}")
    return text
