"""Lead analysis: what Claude answers about a canonical lead: its form, its bounds, and what is put beside it afterwards.

The API enforces the form of a schema but neither ranges nor lengths, so `check_analysis` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

Timeline = Literal["immediate", "3-months", "6-months", "exploring"]
Level = Literal["low", "medium", "high"]

TIMELINES: tuple[Timeline, ...] = ("immediate", "3-months", "6-months", "exploring")
LEVELS: tuple[Level, ...] = ("low", "medium", "high")
SCORE_LEAST, SCORE_MOST = 1, 100
RECOMMENDATIONS_MOST, RECOMMENDATION_CHARACTERS_MOST = 5, 200
SHOWN_CHARACTERS = 40

LEAD_ANALYSIS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "intent_score": {"type": "integer", "description": "1 (no sign of intent) to 100 (about to buy)"},
        "buying_timeline": {"type": "string", "enum": list(TIMELINES)},
        "price_sensitivity": {"type": "string", "enum": list(LEVELS)},
        "engagement_level": {"type": "string", "enum": list(LEVELS)},
        "recommendations": {
            "type": "array",
            "items": {"type": "string"},
            "description": "1 to 5 next steps for the agent, most useful first, each one short sentence",
        },
    },
    "required": ["intent_score", "buying_timeline", "price_sensitivity", "engagement_level", "recommendations"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadAnalysis:
    """A checked analysis; it holds for every lead with the same canonical form, and names none."""

    intent_score: int
    buying_timeline: Timeline
    price_sensitivity: Level
    engagement_level: Level
    recommendations: tuple[str, ...]

    @classmethod
    def of(cls, value: Any) -> LeadAnalysis:
        """The analysis of a value without faults; raises ValueError where `check_analysis` finds any."""
        if faults := check_analysis(value):
            raise ValueError(" ".join(faults))
        given = cast("Mapping[str, Any]", value)
        return cls(
            intent_score=given["intent_score"],
            buying_timeline=given["buying_timeline"],
            price_sensitivity=given["price_sensitivity"],
            engagement_level=given["engagement_level"],
            recommendations=tuple(text.strip() for text in given["recommendations"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadAnalysisView:
    """An analysis as an operator reads it: what code knows of this one lead stands beside it, and was never in a prompt."""

    analysis: LeadAnalysis
    lead_id: str | None = None
    name: str | None = None
    market_name: str | None = None
    budget: str | None = None
    notes: str | None = None
    market_figures: tuple[str, ...] = ()


def merged(analysis: LeadAnalysis, lead: Mapping[str, Any], *, figures: tuple[str, ...] = ()) -> LeadAnalysisView:
    """The analysis with the names, exact prices and free text of one lead's row beside it; it is not changed by them."""
    return LeadAnalysisView(
        analysis=analysis,
        lead_id=_text(lead, "id"),
        name=_text(lead, "name"),
        market_name=_text(lead, "market_name") or _text(lead, "market_id"),
        budget=_text(lead, "budget_range"),
        notes=_text(lead, "notes"),
        market_figures=figures,
    )


def check_analysis(value: Any) -> tuple[str, ...]:
    """What is wrong with an answer, one sentence each; empty: it can be used."""
    if not isinstance(value, Mapping):
        return (f"The answer is not a JSON object but {type(value).__name__}.",)
    wanted = tuple(LEAD_ANALYSIS_SCHEMA["required"])
    faults = [f"{name} is missing." for name in wanted if name not in value]
    faults += [f"{str(name)[:SHOWN_CHARACTERS]!r} is not a field of the answer." for name in value if name not in wanted]
    faults += _score_faults(value.get("intent_score", SCORE_LEAST))
    for name, words in (("buying_timeline", TIMELINES), ("price_sensitivity", LEVELS), ("engagement_level", LEVELS)):
        if name in value and value[name] not in words:
            faults.append(f"{name} is {_shown(value[name])}, not one of {', '.join(words)}.")
    return (*faults, *_recommendation_faults(value.get("recommendations", ["."])))


def _score_faults(score: Any) -> list[str]:
    if isinstance(score, bool) or not isinstance(score, int):
        return [f"intent_score is {_shown(score)}, not a whole number."]
    if not SCORE_LEAST <= score <= SCORE_MOST:
        return [f"intent_score is {_shown(score)}, not between {SCORE_LEAST} and {SCORE_MOST}."]
    return []


def _recommendation_faults(given: Any) -> list[str]:
    if not isinstance(given, list | tuple):
        return [f"recommendations is {_shown(given)}, not a list of sentences."]
    faults = []
    if not 1 <= len(given) <= RECOMMENDATIONS_MOST:
        faults.append(f"recommendations has {len(given)} entries, not 1 to {RECOMMENDATIONS_MOST}.")
    for number, text in enumerate(given[:RECOMMENDATIONS_MOST], start=1):
        if not isinstance(text, str) or not text.strip():
            faults.append(f"Recommendation {number} is not a sentence.")
        elif len(text) > RECOMMENDATION_CHARACTERS_MOST:
            faults.append(f"Recommendation {number} has {len(text)} characters, at most {RECOMMENDATION_CHARACTERS_MOST}.")
    return faults


def _text(lead: Mapping[str, Any], name: str) -> str | None:
    value = lead.get(name)
    return None if value is None else str(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
