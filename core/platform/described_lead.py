"""Described leads: a lead that somebody types or pastes in - a form, JSON, a row of CSV - read into facts; nothing is stored.

Owns the names that fields may have. Refuses what cannot be read, all of it in one UsageError; names what it does not use.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson

from core.errors import UsageError
from core.importer.words import plain
from core.platform.described_values import read_activity, read_amount, read_budget, read_count, read_days, read_stage, read_type
from core.platform.lead_facts import LeadFacts, instant

TEXT_MOST_CHARACTERS = 100_000
FIELDS_MOST = 200
NAME_MOST_CHARACTERS = 60
MARKET_MOST_CHARACTERS = 64
IGNORED_SHOWN = 50
INTERACTIONS_MOST = 1_000
_OF_HISTORY = ("interactions", "never_contacted", "days_since_activity", "acts", "response_hours", "unanswered")

_NAMES = {
    "budget": "budget budget_range price_range budget_usd",
    "budget_least": "budget_min min_budget budget_least budget_from price_min min_price",
    "budget_most": "budget_max max_budget budget_most budget_to price_max max_price",
    "property_type": "property_type type home_type wanted_type property_type_interest type_interest looks_for",
    "stage": "stage status lead_status",
    "interactions": "interactions interaction_count interactions_30_days interactions_30d interactions_last_30_days",
    "last_activity": "last_activity last_interaction_at last_interaction last_contact last_contacted last_active",
    "days_since_activity": "days_since_activity days_since_last_activity days_since_last_contact inactive_days",
    "market": "market market_id city market_name",
}
FIELDS: Mapping[str, str] = MappingProxyType({name: field for field, names in _NAMES.items() for name in names.split()})
NEXT_STEP = (
    "Describe a lead by budget (450000, 450k, 300k-400k), property_type, stage, interactions (in the last 30 days), "
    "last_activity (2 days ago, 2026-03-31, never) and market; every field may be left out."
)


def described(fields: Mapping[str, Any], *, now: datetime | None = None) -> LeadFacts:
    """The facts of a lead described by fields; raises UsageError with every field that cannot be read.

    `interactions` is their number in the last 30 days, or the list of them that a stored lead has.
    """
    now = now or datetime.now(UTC)
    if len(fields) > FIELDS_MOST:
        raise UsageError(f"The lead has {len(fields):,} fields, at most {FIELDS_MOST}.", NEXT_STEP)
    given, ignored, faults = _sorted(fields)
    if not given and not faults:
        raise UsageError("Nothing that is known of a lead is among the fields.", NEXT_STEP)
    values: dict[str, Any] = {}
    for name, (written, value) in sorted(given.items(), key=lambda item: item[0] == "interactions"):
        try:
            values |= (
                _history(value, values, now)
                if name == "interactions" and isinstance(value, list)
                else _READERS[name](value, now)
            )
        except ValueError as error:
            faults.append(f"{written} {error}")
    faults += _contradictions(values) if not faults else []
    if faults:
        raise UsageError(f"The lead cannot be read: {'; '.join(faults)}.", NEXT_STEP)
    return LeadFacts(**values, ignored=tuple(ignored[:IGNORED_SHOWN]))


def parse_json(text: str, *, now: datetime | None = None) -> LeadFacts:
    """The facts of a lead pasted as one JSON object; raises UsageError."""
    _check_size(text)
    try:
        value = orjson.loads(text.strip().lstrip("\ufeff"))
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise UsageError(
            f"This is not JSON: {error}.", 'Paste one object, such as {"budget": "450k", "interactions": 3}.'
        ) from None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        what = f"a list of {len(value)}" if isinstance(value, list) else "no object"
        raise UsageError(f"This JSON is {what}; one lead is an object.", NEXT_STEP)
    return described(value, now=now)


def parse_csv(text: str, *, now: datetime | None = None) -> LeadFacts:
    """The facts of a lead pasted as a header and one row of CSV (comma, semicolon, tab or bar); raises UsageError."""
    _check_size(text)
    rows = _rows(text)
    if len(rows) != 2:
        raise UsageError(f"A lead is two lines, the names of its fields and their values; this is {len(rows)}.", NEXT_STEP)
    header, row = rows
    if len(row) > len(header):
        raise UsageError(
            f"The row has {len(row)} values, the header {len(header)} names.", "Put a value with commas in quotes."
        )
    twice = sorted({name for name in map(plain, header) if name and list(map(plain, header)).count(name) > 1})
    if twice:
        raise UsageError(f"The header names {twice[0][:NAME_MOST_CHARACTERS]} twice.", NEXT_STEP)
    return described(dict(zip(header, row, strict=False)), now=now)


def _history(rows: list[Any], values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What a list of interactions says; a last activity that is given beside it counts where it is the later one."""
    if len(rows) > INTERACTIONS_MOST:
        raise ValueError(f"has {len(rows):,} entries, at most {INTERACTIONS_MOST:,}")
    for number, row in enumerate(rows, start=1):
        moment = instant(row.get("created_at")) if isinstance(row, Mapping) else None
        if moment is None:
            raise ValueError(f"has no entry with an interaction_type and a readable created_at in place {number}")
        if moment > now:
            raise ValueError(f"has a created_at that lies in the future in place {number}")
    days = values.get("days_since_activity")
    last = None if days is None else now - timedelta(days=days)
    stored = LeadFacts.from_lead({"last_interaction_at": last}, rows, now=now)
    return {name: getattr(stored, name) for name in _OF_HISTORY}


def _sorted(fields: Mapping[str, Any]) -> tuple[dict[str, tuple[str, Any]], list[str], list[str]]:
    """Each known field with its written name and value, the names of the others, and the faults."""
    given: dict[str, tuple[str, Any]] = {}
    ignored, faults = [], []
    for key, value in fields.items():
        written = str(key)[:NAME_MOST_CHARACTERS].strip()
        name = FIELDS.get(plain(written))
        if name is None:
            ignored.append(written)
        elif value is None or (isinstance(value, str) and not value.strip()):
            continue
        elif name in given:
            faults.append(f"{given[name][0]} and {written} say the same: leave one out")
        else:
            given[name] = (written, value)
    return given, ignored, faults


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    least, most = values.get("budget_least"), values.get("budget_most")
    count, days = values.get("interactions"), values.get("days_since_activity")
    faults = []
    if least is not None and most is not None and least > most:
        faults.append("the least of the budget is above its most")
    if values.get("never_contacted") and (count or days is not None):
        faults.append("the lead was never contacted and has interactions: one of the two is wrong")
    if count and days is not None and days > 31:
        faults.append("it has interactions in the last 30 days, but its last activity is older")
    return faults


def _check_size(text: str) -> None:
    if len(text) > TEXT_MOST_CHARACTERS:
        raise UsageError(f"The text has {len(text):,} characters, at most {TEXT_MOST_CHARACTERS:,}.", "Paste one lead.")
    if not text.strip():
        raise UsageError("There is no text.", NEXT_STEP)


def _rows(text: str) -> list[list[str]]:
    lines = text.strip().lstrip("\ufeff")
    header = lines.splitlines()[0]
    delimiter = max(",;\t|", key=header.count)
    try:
        rows = list(csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UsageError(f"This is not CSV: {error}.", "Paste the line of names and the line of values.") from None
    return [row for row in rows if any(cell.strip() for cell in row)]


def _market(value: object, _: datetime) -> dict[str, Any]:
    if not isinstance(value, str) or len(value) > MARKET_MOST_CHARACTERS or not value.isprintable():
        raise ValueError(f"is no name of a market (text of at most {MARKET_MOST_CHARACTERS} characters)")
    return {"market": value.strip()}


_READERS: Mapping[str, Callable[[Any, datetime], dict[str, Any]]] = MappingProxyType(
    {
        "budget": lambda value, _: read_budget(value),
        "budget_least": lambda value, _: {"budget_least": read_amount(value)},
        "budget_most": lambda value, _: {"budget_most": read_amount(value)},
        "property_type": lambda value, _: {"property_type": read_type(value)},
        "stage": lambda value, _: {"stage": read_stage(value)},
        "interactions": lambda value, _: {"interactions": read_count(value)},
        "last_activity": read_activity,
        "days_since_activity": lambda value, _: {"days_since_activity": read_days(value)},
        "market": _market,
    }
)
