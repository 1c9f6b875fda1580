"""Claude models: what the routes that ask Claude take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, RootModel, StrictBool

from core.api.models import Body, Id, Model
from core.platform.lead_analysis import Level, Timeline

DESCRIBED: dict[str, Any] = {
    "description": "One lead; every field may be left out, but one must be there. What is not known is named in `ignored`.",
    "properties": {
        "budget": {"description": "dollars: 450000, 450k, 300k-400k, under 500k, or a pair", "examples": ["300k-400k"]},
        "property_type": {"type": ["string", "null"], "examples": ["condo"]},
        "stage": {"type": ["string", "null"], "examples": ["hot"]},
        "interactions": {"description": "how many in the last 30 days, or a stored lead's list of them", "examples": [5]},
        "last_activity": {"description": "2 days ago, 2026-03-31, never", "examples": ["2 days ago"]},
        "market": {"type": ["string", "null"], "maxLength": 64, "description": "a market's slug", "examples": ["austin"]},
    },
    "minProperties": 1,
    "examples": [{"budget": "300k-400k", "stage": "hot", "interactions": 5, "last_activity": "2 days ago", "market": "austin"}],
}


class AskBody(Body):
    """How Claude is to be asked; the body may be left out."""

    fresh: StrictBool = False


class DescribedLeadBody(RootModel[dict[str, Any]]):
    """A lead that is described here, and stored nowhere."""

    model_config = ConfigDict(frozen=True, json_schema_extra=DESCRIBED)


class PromptUsed(Model):
    """Which prompt was asked."""

    name: str
    version: str


class FailureTold(Model):
    """Why there is no answer of Claude."""

    kind: str
    message: str
    next_step: str


class Analysis(Model):
    """What is said of a lead."""

    intent_score: int
    buying_timeline: Timeline
    price_sensitivity: Level
    engagement_level: Level
    recommendations: list[str]


class RulePart(Model):
    """One part of the rules' score: weight of 1, value from 0 to 1 or not known, points of 100."""

    name: str
    title: str
    guide_weight: float
    weight: float
    value: float | None
    points: float
    fact: str


class Rules(Model):
    """What the rules say, and what they could not know."""

    score: int
    parts: list[RulePart]
    missing: list[str]
    left_out: list[str]
    how_weighed: str


class Canonical(Model):
    """The lead as the prompt sees it."""

    budget: str
    property_type: str
    stage: str
    interactions: str
    last_activity: str


class AnalysisAnswer(Model):
    """An analysis of Claude's with the rules beside it, or theirs alone where `source` is rules; `failure` says why."""

    lead_id: Id | None
    source: Literal["claude", "cache", "stale", "rehearsal", "rules"]
    rehearsal: bool
    analysis: Analysis
    rules: Rules
    canonical: Canonical
    ignored: list[str]
    model: str | None
    prompt: PromptUsed
    answered_at: datetime | None
    failure: FailureTold | None


class FindingTold(Model):
    """A phrase, at text[start:end], that a person should look at before the text is published."""

    text: str
    start: int
    end: int
    protected_class: str
    level: Literal["remove", "look"]
    reason: str
    instead: str
    sentence: str


class DescriptionAnswer(Model):
    """A listing in words."""

    property_id: Id
    source: Literal["claude", "cache", "stale", "rehearsal"]
    rehearsal: bool
    text: str
    findings: list[FindingTold]
    model: str
    prompt: PromptUsed
    answered_at: datetime
