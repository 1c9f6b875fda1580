"""Scoring: rules that judge a lead by what it does, by whether its budget fits what is on offer, and by its market.

Owns the weights. They are the guide's without age and income: both are proxies of protected traits, and no lead has them here.
`location` is only the budget against the prices of the whole market, since a neighborhood stands for who lives there. The stage
moves no point of the score. Nothing here is a probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from core.platform.lead_analysis import SCORE_LEAST, LeadAnalysis, Level, Timeline
from core.platform.lead_facts import LeadFacts
from core.platform.market_facts import MarketFacts
from core.platform.recommendations import CLOSED_STAGES, Judged, recommendations
from core.platform.score_parts import PARTS, Group, Part, Value, price_ratio

# The guide weighs within its three groups, not between them. What a lead does counts most; a market's figures least, since they
# are the same for all of its leads.
SHARES: Mapping[Group, float] = MappingProxyType({"wish": 0.2, "behaviour": 0.6, "market": 0.2})
LEFT_OUT = (
    "Age (0.3 in the guide) is left out: no lead has it, and it must not decide how somebody is served.",
    "Income (0.4 in the guide) is left out: no lead has it, and it can stand in for protected traits.",
)
HOW_WEIGHED = (
    "Weights are the guide's within each group, renormalised over what is known; between the groups they are ours: "
    + ", ".join(f"{group} {share:.0%}" for group, share in SHARES.items())
    + "."
)
# A budget within a fifth below and a quarter above the median price is neither tight nor ample (0.8 = 1 / 1.25).
TIGHT, AMPLE = 0.8, 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """One part: its weight of 1 after renormalising, its value from 0 to 1 (None: not known, weight 0), its points of 100."""

    name: str
    title: str
    guide_weight: float
    weight: float
    value: float | None
    points: float
    fact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesScore:
    """What the rules say of a lead: score 1 to 100, its parts, and what could not be known."""

    score: int
    parts: tuple[ScorePart, ...]
    buying_timeline: Timeline
    price_sensitivity: Level
    engagement_level: Level
    recommendations: tuple[str, ...]
    missing: tuple[str, ...]
    left_out: tuple[str, ...] = LEFT_OUT
    how_weighed: str = HOW_WEIGHED

    def analysis(self) -> LeadAnalysis:
        """The same judgement in the form that Claude answers in."""
        return LeadAnalysis(
            intent_score=self.score,
            buying_timeline=self.buying_timeline,
            price_sensitivity=self.price_sensitivity,
            engagement_level=self.engagement_level,
            recommendations=self.recommendations,
        )


def score_lead(facts: LeadFacts, market: MarketFacts | None = None) -> RulesScore:
    """Judge a lead by the rules; a part of which nothing is known is left out, and said to be missing.

    Where nothing at all is known of what the lead does, that counts as nothing done: no wish alone makes a lead hot.
    """
    values = [(part, part.judge(facts, market)) for part in PARTS]
    known = [part for part, judged in values if judged.value is not None or _counts_as_none(part, values)]
    parts = tuple(_part(part, judged, _weight(part, known)) for part, judged in values)
    ratio = price_ratio(facts, market)
    missing = tuple(judged.fact for _, judged in values if judged.value is None)
    if any(_counts_as_none(part, values) for part, _ in values):
        missing = (*missing, "So nothing is known of what the lead does; it counts as nothing done.")
    if ratio is None:
        missing = (*missing, "So the price sensitivity cannot be told, and is given as medium.")
    timeline, level = buying_timeline(facts), engagement_level(facts)
    return RulesScore(
        score=max(SCORE_LEAST, round(sum(part.points for part in parts))),
        parts=parts,
        buying_timeline=timeline,
        price_sensitivity=price_sensitivity(ratio),
        engagement_level=level,
        recommendations=recommendations(Judged(facts, timeline, level, ratio is not None and ratio < TIGHT)),
        missing=missing,
    )


def buying_timeline(facts: LeadFacts) -> Timeline:
    """When the lead may buy, by its last activity, its interactions and its stage; the edges are those of the bands."""
    days = facts.days_since_activity
    if facts.stage in CLOSED_STAGES or days is None or days > 30:
        return "exploring"
    count = facts.interactions or 0
    if days <= 7 and (facts.stage == "hot" or count >= 8):
        return "immediate"
    return "3-months" if facts.stage in ("hot", "qualified") or count >= 3 else "6-months"


def engagement_level(facts: LeadFacts) -> Level:
    """High: three interactions or more in 30 days, one of them this week; low: none in 30 days."""
    days, count = facts.days_since_activity, facts.interactions or 0
    if days is None or days > 30:
        return "low"
    return "high" if days <= 7 and count >= 3 else "medium"


def price_sensitivity(ratio: float | None) -> Level:
    """By the budget over the market's prices: a tight budget makes a lead sensitive; medium where it cannot be told."""
    if ratio is None:
        return "medium"
    return "high" if ratio < TIGHT else "low" if ratio > AMPLE else "medium"


def _counts_as_none(part: Part, values: Sequence[tuple[Part, Value]]) -> bool:
    behaviour = [judged.value for other, judged in values if other.group == "behaviour"]
    return part.group == "behaviour" and all(value is None for value in behaviour)


def _weight(part: Part, known: Sequence[Part]) -> float:
    """The share of the part's group among the groups of which something is known, times its weight within the group."""
    if part not in known:
        return 0.0
    shares = sum(SHARES[group] for group in {other.group for other in known})
    beside = sum(other.guide_weight for other in known if other.group == part.group)
    return SHARES[part.group] / shares * part.guide_weight / beside


def _part(part: Part, judged: Value, weight: float) -> ScorePart:
    return ScorePart(
        name=part.name,
        title=part.title,
        guide_weight=part.guide_weight,
        weight=weight,
        value=judged.value,
        points=100 * weight * (judged.value or 0.0),
        fact=judged.fact,
    )
