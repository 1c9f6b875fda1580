"""Canonical lead: the few bands that a prompt may be built from, so that like leads ask the same.

Owns the bands (chosen by measurement: docs/decisions/0015-lead-analysis.md). Refuses every word that is not one of its own, so
neither a person's data nor an order hidden in a note can reach a prompt or a key.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

from core.errors import UsageError
from core.platform.lead_facts import LeadFacts

UNKNOWN = "not known"
NEVER = "never contacted"


@dataclass(frozen=True, slots=True)
class Band:
    """Values above the band before it, up to `most`; `typical` stands for all of them where a number is needed."""

    words: str
    most: float
    typical: float


# Each edge is twice the one before: a market's leads fall into three or four bands, whatever its prices are.
BUDGETS = (
    Band("up to 200,000 dollars", 200_000, 150_000),
    Band("200,000 to 400,000 dollars", 400_000, 300_000),
    Band("400,000 to 800,000 dollars", 800_000, 600_000),
    Band("800,000 to 1,600,000 dollars", 1_600_000, 1_200_000),
    Band("more than 1,600,000 dollars", float("inf"), 2_000_000),
)
# These edges are also those of the rules (scoring.py): timeline and recommendations lose nothing in a band.
INTERACTIONS = (Band("none", 0, 0), Band("1 or 2", 2, 2), Band("3 to 7", 7, 4), Band("8 or more", float("inf"), 12))
RECENCY = (
    Band("within the last 7 days", 7, 3),
    Band("8 to 30 days ago", 30, 16),
    Band("31 to 90 days ago", 90, 50),
    Band("more than 90 days ago", float("inf"), 150),
)
TYPES: Mapping[str, str] = MappingProxyType(
    {
        "single_family": "single-family house",
        "condo": "condo, townhouse or apartment",
        "townhouse": "condo, townhouse or apartment",
        "apartment": "condo, townhouse or apartment",
        "multi_family": "multi-family building",
        "land": "land",
        "other": "another type",
    }
)
STAGES: Mapping[str, str] = MappingProxyType(
    {
        "new": "new",
        "active": "active",
        "nurturing": "nurturing",
        "hot": "hot",
        "qualified": "qualified",
        "won": "won: has bought",
        "lost": "lost",
        "unsubscribed": "unsubscribed: must not be contacted",
    }
)
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "budget": "Budget",
        "property_type": "Looks for",
        "stage": "Stage",
        "interactions": "Interactions in the last 30 days",
        "last_activity": "Last activity",
    }
)
WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "budget": frozenset({UNKNOWN, *(band.words for band in BUDGETS)}),
        "property_type": frozenset({UNKNOWN, *TYPES.values()}),
        "stage": frozenset({UNKNOWN, *STAGES.values()}),
        "interactions": frozenset({UNKNOWN, *(band.words for band in INTERACTIONS)}),
        "last_activity": frozenset({UNKNOWN, NEVER, *(band.words for band in RECENCY)}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalLead:
    """A lead as prompts see it, each field one of WORDS; raises UsageError for any other word."""

    budget: str = UNKNOWN
    property_type: str = UNKNOWN
    stage: str = UNKNOWN
    interactions: str = UNKNOWN
    last_activity: str = UNKNOWN

    def __post_init__(self) -> None:
        for name, word in asdict(self).items():
            if word not in WORDS[name]:
                raise UsageError(
                    f"{str(word)[:60]!r} is no {name} of a canonical lead.", "Make it with CanonicalLead.of(facts)."
                )

    @classmethod
    def of(cls, facts: LeadFacts) -> CanonicalLead:
        """The bands that these facts fall into."""
        recency = NEVER if facts.never_contacted else _band(RECENCY, facts.days_since_activity)
        return cls(
            budget=_band(BUDGETS, facts.budget),
            property_type=TYPES.get(facts.property_type or "", UNKNOWN),
            stage=STAGES.get(facts.stage or "", UNKNOWN),
            interactions=_band(INTERACTIONS, facts.interactions),
            last_activity=recency,
        )

    @property
    def text(self) -> str:
        """One line for each field, always in the same order: equal leads have equal texts, others have others."""
        return "\n".join(f"{LABELS[name]}: {word}" for name, word in asdict(self).items())

    def variables(self) -> Mapping[str, str]:
        """What a template may say: `lead` for all lines, or each field by its name."""
        return MappingProxyType({"lead": self.text, **asdict(self)})

    @classmethod
    def find(cls, text: str) -> CanonicalLead | None:
        """The canonical lead whose lines stand in a prompt; None where there are none, or they are not its words."""
        names = {label: name for name, label in LABELS.items()}
        parts = (line.strip().partition(": ") for line in text.splitlines())
        found = {names[label]: word for label, separator, word in parts if separator and label in names}
        if not found or any(word not in WORDS[name] for name, word in found.items()):
            return None
        return cls(**found)

    def facts(self) -> LeadFacts:
        """Facts that fall into these bands: what rules can say of a lead of which only the bands are known."""
        budget, interactions = _typical(BUDGETS, self.budget), _typical(INTERACTIONS, self.interactions)
        return LeadFacts(
            budget_most=budget,
            property_type=_first(TYPES, self.property_type),
            stage=_first(STAGES, self.stage),
            interactions=None if interactions is None else int(interactions),
            never_contacted=self.last_activity == NEVER,
            days_since_activity=_typical(RECENCY, self.last_activity),
        )


def _band(bands: tuple[Band, ...], value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return bands[bisect_left([band.most for band in bands], value)].words


def _typical(bands: tuple[Band, ...], words: str) -> float | None:
    return next((band.typical for band in bands if band.words == words), None)


def _first(words: Mapping[str, str], wanted: str) -> str | None:
    return next((name for name, word in words.items() if word == wanted), None)
