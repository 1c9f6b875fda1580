"""Lead facts: what is known of one lead for scoring, and nothing that names a person.

Owns the window of 30 days and which interactions are the lead's own acts. Never reads name, mail, phone, notes or search texts.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from core.database.schema import INTERACTION_TYPES, LEAD_STATUSES, PROPERTY_TYPES
from core.importer.words import aliases, plain

WINDOW_DAYS = 30
OUR_ACTS = ("email_sent", "call_missed")  # What we did to reach the lead; every other interaction is the lead's own act.
_STAGES, _TYPES, _ACTS = aliases(LEAD_STATUSES), aliases(PROPERTY_TYPES), aliases(INTERACTION_TYPES)
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,4})?)\s*([km]?)")
_BUDGET = re.compile(r"(?:[0-9.,$+\s\-\u2013]|[0-9 ][km]\b|\bto\b|\bunder\b|\bup\b|\busd\b|\bdollars\b)+")
_UNITS = {"m": 1e6, "k": 1e3, "": 1.0}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFacts:
    """What rules and prompts may know of a lead; None: not known.

    Dollars, days and hours. `acts` counts the interactions of the window by type, None where only their number is known;
    `unanswered` are our last contacts that no act of the lead followed. `ignored` names given fields that were not used.
    """

    market: str | None = None
    budget_least: float | None = None
    budget_most: float | None = None
    property_type: str | None = None
    stage: str | None = None
    interactions: int | None = None
    never_contacted: bool = False
    days_since_activity: float | None = None
    acts: tuple[tuple[str, int], ...] | None = None
    response_hours: float | None = None
    unanswered: int = 0
    ignored: tuple[str, ...] = ()

    @property
    def budget(self) -> float | None:
        """The highest price that the lead would pay, or the least that is known of it."""
        return self.budget_most if self.budget_most is not None else self.budget_least

    @classmethod
    def from_lead(cls, lead: Mapping[str, Any], interactions: Iterable[Mapping[str, Any]], *, now: datetime) -> LeadFacts:
        """The facts of a stored lead: its row, and its newest interactions (rows, or the JSON of either)."""
        events = sorted(_events(interactions, now))
        last = max([moment for moment, _ in events] + _given(instant(lead.get("last_interaction_at")), now), default=None)
        recent = Counter(act for moment, act in events if now - moment <= WINDOW_DAYS * _DAY)
        # A last contact within the window whose interaction is not among those given: their number is not known.
        unseen = not recent and last is not None and now - last <= WINDOW_DAYS * _DAY
        least, most = budget_of(lead.get("budget_range"))
        hours, unanswered = _responses(events)
        return cls(
            market=_text(lead.get("market_id")),
            budget_least=least,
            budget_most=most,
            property_type=property_type_of(lead.get("property_type")),
            stage=stage_of(lead.get("status")),
            interactions=None if unseen else recent.total(),
            never_contacted=last is None,
            days_since_activity=None if last is None else (now - last) / _DAY,
            acts=None if unseen else tuple(sorted(recent.items())),
            response_hours=hours,
            unanswered=unanswered,
        )


def budget_of(text: object) -> tuple[float | None, float | None]:
    """Least and most dollars of a stored budget such as '300k-400k', '450k' or '1m+'; None where it does not say."""
    written = str(text or "").lower().strip()
    found = _AMOUNT.findall(written.replace(",", "")) if len(written) <= 100 and _BUDGET.fullmatch(written) else []
    last_unit = found[-1][1] if found else ""
    amounts = [float(digits) * _UNITS[unit or (last_unit if float(digits) < 1000 else "")] for digits, unit in found]
    if not amounts or max(amounts) <= 0:
        return None, None
    if str(text).strip().endswith("+"):
        return max(amounts), None
    return (min(amounts) if len(amounts) > 1 else None), max(amounts)


def stage_of(text: object) -> str | None:
    """The schema's word for a stage, or None."""
    return _STAGES.get(plain(str(text)[:100])) if text else None


def property_type_of(text: object) -> str | None:
    """The schema's word for a type of property, or None."""
    return _TYPES.get(plain(str(text)[:100])) if text else None


def instant(value: object) -> datetime | None:
    """A moment as rows and their JSON have it, in UTC where no zone is written; None where it is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _events(interactions: Iterable[Mapping[str, Any]], now: datetime) -> Iterable[tuple[datetime, str]]:
    """Moment and type of each interaction; what lies in the future (a clock that is ahead) counts as now."""
    for row in interactions:
        moment = instant(row.get("created_at"))
        if moment is not None:
            yield min(moment, now), _act_of(str(row.get("interaction_type"))[:100])


@lru_cache(maxsize=1024)  # A lead has up to 200 interactions of a few types; reading their words was half of an analysis.
def _act_of(text: str) -> str:
    return _ACTS.get(plain(text), "other")


def _given(moment: datetime | None, now: datetime) -> list[datetime]:
    return [] if moment is None else [min(moment, now)]


def _responses(events: Sequence[tuple[datetime, str]]) -> tuple[float | None, int]:
    """Median hours from a contact of ours to the lead's next act, and how many last contacts had none."""
    waiting: datetime | None = None
    unanswered = 0
    hours: list[float] = []
    for moment, act in events:
        if act in OUR_ACTS:
            waiting = waiting or moment
            unanswered += 1
        elif waiting is not None:
            hours.append((moment - waiting) / timedelta(hours=1))
            waiting, unanswered = None, 0
    return (statistics.median(hours) if hours else None), unanswered


def _text(value: object) -> str | None:
    return str(value) if value is not None else None
