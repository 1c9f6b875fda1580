"""Words for leads: what the fields of a lead and of its analysis are called on a page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from core.platform.lead_analyses import AnalysedLead
from core.platform.lead_facts import LeadFacts, instant
from core.platform.subjects import Subject
from core.ui.verdict import span

TIMELINES: Mapping[str, str] = MappingProxyType(
    {"immediate": "now", "3-months": "within 3 months", "6-months": "within 6 months", "exploring": "only exploring"}
)
# Judgement: where the colour of a score changes. The number stands beside it.
WARM, COOL = 70, 40
UNKNOWN = "not known"


def words(value: object) -> str:
    """A word of the schema as people write it."""
    return str(value).replace("_", " ") if value not in (None, "") else UNKNOWN


def score_look(score: int) -> tuple[str, str]:
    """Colour and icon of a score."""
    if score >= WARM:
        return "green", "trending_up"
    return ("blue", "trending_flat") if score >= COOL else ("gray", "trending_down")


def subject_name(subject: Subject) -> str:
    """What one lead is called."""
    if subject.lead_id is None:
        return "The described lead"
    return str(subject.lead.get("name") or f"Lead {subject.lead_id}")


def source_words(found: AnalysedLead) -> str:
    """Whose judgement it is."""
    if found.source == "rules":
        return "by the rules"
    who = "in rehearsal" if found.rehearsal else "by Claude"
    kept = found.answer is not None and found.answer.cache_outcome in ("hit", "stale")
    return f"{who}, kept answer" if kept else who


def since(moment: object, now: datetime) -> str:
    """How long ago a moment of a row was."""
    found = instant(moment)
    return "never" if found is None else f"{span(max(now, found) - found)} ago"


def budget_words(facts: LeadFacts) -> str:
    """A described budget."""
    least, most = facts.budget_least, facts.budget_most
    if least is not None and most is not None:
        return f"{least:,.0f} to {most:,.0f} dollars"
    if most is not None:
        return f"up to {most:,.0f} dollars"
    return UNKNOWN if least is None else f"{least:,.0f} dollars or more"


def activity_words(facts: LeadFacts) -> str:
    """When a described lead was last active."""
    if facts.never_contacted:
        return "never contacted"
    if facts.days_since_activity is None:
        return UNKNOWN
    days = facts.days_since_activity
    return "today" if days < 1 else f"{days:.0f} days ago"


def optional(row: Mapping[str, Any], name: str) -> str:
    """A field of a row as text."""
    return str(row[name]) if row.get(name) not in (None, "") else UNKNOWN
