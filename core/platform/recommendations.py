"""Recommendations: what the rules say to do next, as one readable table.

A line holds for what is known of a lead and says nothing that is not; the first ones matter most. A lead that has unsubscribed
gets no line but that it is not to be contacted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.platform.lead_analysis import RECOMMENDATIONS_MOST, Level, Timeline
from core.platform.lead_facts import LeadFacts

CLOSED_STAGES = ("won", "lost", "unsubscribed")
QUIET_DAYS = 30
UNANSWERED_MOST = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """A lead with what the rules have concluded; `stretched`: its budget lies well below the market's prices."""

    facts: LeadFacts
    timeline: Timeline
    engagement: Level
    stretched: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A recommendation and when it is given; `alone`: then nothing else is."""

    when: Callable[[Judged], bool]
    text: str
    alone: bool = False


LINES = (
    Line(lambda it: it.facts.stage == "unsubscribed", "Do not contact this lead: it has unsubscribed.", alone=True),
    Line(lambda it: it.facts.stage == "won", "Thank the lead and ask for a referral; send no more listings.", alone=True),
    Line(
        lambda it: it.facts.stage == "lost",
        "Leave it for now; ask once in three months whether plans have changed.",
        alone=True,
    ),
    Line(lambda it: it.facts.never_contacted, "Make the first contact today: a call, then a message with a direct question."),
    Line(lambda it: it.timeline == "immediate", "Call today and offer two times for a showing."),
    Line(lambda it: it.facts.unanswered >= UNANSWERED_MOST, "Try another channel: the last contacts had no answer."),
    Line(lambda it: it.timeline == "3-months", "Offer a showing this week and agree on the next step."),
    Line(
        lambda it: _is_quiet(it.facts), "Ask once whether the search goes on; without an answer, send a monthly market update."
    ),
    Line(lambda it: it.facts.budget is None, "Ask for the budget before sending listings."),
    Line(lambda it: it.facts.property_type is None, "Ask which type of home is wanted."),
    Line(lambda it: it.stretched, "Show what the budget buys in this market, and ask what could give way."),
    Line(lambda it: it.engagement == "high", "Ask about financing, so that an offer can be made quickly."),
    Line(lambda it: it.timeline == "6-months", "Send three listings that fit and ask which comes closest."),
    Line(lambda it: it.engagement != "high", "Set a reminder to follow up within a week."),
)


def recommendations(judged: Judged) -> tuple[str, ...]:
    """One to five lines, most useful first."""
    fitting = [line for line in LINES if line.when(judged)]
    alone = [line.text for line in fitting if line.alone]
    return tuple(alone[:1] or [line.text for line in fitting][:RECOMMENDATIONS_MOST])


def _is_quiet(facts: LeadFacts) -> bool:
    return facts.days_since_activity is not None and facts.days_since_activity > QUIET_DAYS
