"""Score parts: what the rules look at, one function each: a value from 0 to 1, and the fact behind it in words.

Owns the scales. Where a scale has no source it is a judgement, and its constant says so. A part of which nothing is known has
no value; it is never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.platform.lead_facts import OUR_ACTS, WINDOW_DAYS, LeadFacts
from core.platform.market_facts import MarketFacts
from core.platform.recommendations import UNANSWERED_MOST

Group = Literal["wish", "behaviour", "market"]

# Judgement: interest that is not renewed halves in two weeks.
HALF_LIFE_DAYS = 14.0
# Judgement: how much an act commits; the strongest one of the window counts, and what we did ourselves is no act of the lead.
ACT_DEPTHS = {
    "showing_booked": 1.0, "form_submit": 0.9, "call_answered": 0.9, "link_click": 0.8, "page_view": 0.7, "email_open": 0.7,
    "other": 0.7,
}  # fmt: skip
NO_ACT_DEPTH = 0.5
# Judgement: an answer within the hour counts fully, one after a week not at all; the scale is logarithmic.
QUICK_HOURS, SLOW_HOURS = 1.0, 168.0
FULL_INTERACTIONS = 16  # One in a hundred of the sample's leads has more in 30 days.
# Judgement: a budget of 40 % of the median price reaches almost nothing on offer, the median price half of it.
FIT_NONE, FIT_FULL = 0.4, 1.0
# Six months of supply is the usual sign of a balanced market (National Association of Realtors); 3 and 9 lie as far from it.
SUPPLY_SHORT, SUPPLY_LONG = 3.0, 9.0
TREND_SPAN = 0.1  # Judgement: 10 % in a year, up or down, is a strong trend.


@dataclass(frozen=True, slots=True)
class Value:
    """From 0 to 1, or None where it is not known; the fact in words either way."""

    value: float | None
    fact: str


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the score weighs; `guide_weight` is the guide's own within its group."""

    name: str
    title: str
    group: Group
    guide_weight: float
    judge: Callable[[LeadFacts, MarketFacts | None], Value]


def engagement(facts: LeadFacts, _: MarketFacts | None) -> Value:
    """How fresh the last activity is, times how much the strongest act of the window commits."""
    if facts.never_contacted:
        return Value(0.0, "Never contacted.")
    days = facts.days_since_activity
    if days is None:
        return Value(None, "The last activity is not known.")
    fact = f"Last activity {_days(days)}; "
    if facts.acts is None:
        return Value(_freshness(days), fact + "the kinds of interactions are not known.")
    own = [act for act, _ in facts.acts if act not in OUR_ACTS]
    if not own:
        return Value(_freshness(days) * NO_ACT_DEPTH, fact + f"no act of the lead in {WINDOW_DAYS} days.")
    best = max(own, key=lambda act: ACT_DEPTHS.get(act, ACT_DEPTHS["other"]))
    depth = ACT_DEPTHS.get(best, ACT_DEPTHS["other"])
    return Value(_freshness(days) * depth, fact + f"strongest act in {WINDOW_DAYS} days: {best.replace('_', ' ')}.")


def response_time(facts: LeadFacts, _: MarketFacts | None) -> Value:
    """How soon the lead acts after a contact of ours."""
    if facts.response_hours is not None:
        hours = max(facts.response_hours, QUICK_HOURS)
        value = 1 - math.log(hours / QUICK_HOURS) / math.log(SLOW_HOURS / QUICK_HOURS)
        return Value(_bounded(value), f"Acts {_hours(facts.response_hours)} after a contact (median).")
    if facts.unanswered >= UNANSWERED_MOST:
        return Value(0.0, f"None of the last {facts.unanswered} contacts was answered.")
    return Value(None, "No contact of ours was answered yet, so the response time is not known.")


def interactions(facts: LeadFacts, market: MarketFacts | None) -> Value:
    """How many interactions the window has, on a logarithmic scale."""
    count = facts.interactions
    if count is None:
        return Value(None, f"The number of interactions in {WINDOW_DAYS} days is not known.")
    among = (
        f" (the middle lead of {market.name}: {market.lead_interactions[1]:g})" if market and market.lead_interactions else ""
    )
    value = math.log2(1 + count) / math.log2(1 + FULL_INTERACTIONS)
    return Value(_bounded(value), f"{count} in {WINDOW_DAYS} days{among}; {FULL_INTERACTIONS} count fully.")


def location(facts: LeadFacts, market: MarketFacts | None) -> Value:
    """Whether the budget fits what the wished market offers; nothing else of a place counts."""
    ratio = price_ratio(facts, market)
    if ratio is None or market is None:
        return Value(None, _why_no_ratio(facts, market))
    return Value(_bounded((ratio - FIT_NONE) / (FIT_FULL - FIT_NONE)), f"The budget is {ratio:.0%} of {_yardstick(market)}.")


def inventory(_: LeadFacts, market: MarketFacts | None) -> Value:
    """How soon homes are gone: little supply presses those who want to buy."""
    if market is None or market.inventory_months is None:
        return Value(None, "The market's supply is not known.")
    value = (SUPPLY_LONG - market.inventory_months) / (SUPPLY_LONG - SUPPLY_SHORT)
    return Value(_bounded(value), f"{market.name} has {market.inventory_months:.1f} months of supply; 6 is balanced.")


def price_trend(_: LeadFacts, market: MarketFacts | None) -> Value:
    """Whether waiting costs: rising prices press those who want to buy."""
    if market is None or market.price_trend is None:
        return Value(None, "The market's price trend is not known.")
    value = 0.5 + market.price_trend / (2 * TREND_SPAN)
    return Value(_bounded(value), f"Prices in {market.name}: {market.price_trend:+.1%} in 12 months.")


def price_ratio(facts: LeadFacts, market: MarketFacts | None) -> float | None:
    """The budget over the market's median price, or over the middle budget of its leads where no price is known.

    None for land: the figures are of homes.
    """
    if market is None or facts.budget is None or facts.property_type == "land":
        return None
    yardstick = market.median_price or (market.lead_budgets[1] if market.lead_budgets else None)
    return facts.budget / yardstick if yardstick else None


PARTS = (
    Part("location", "Budget against what is on offer", "wish", 0.3, location),
    Part("engagement", "Engagement", "behaviour", 0.5, engagement),
    Part("response_time", "Response time", "behaviour", 0.3, response_time),
    Part("interactions", "Interactions", "behaviour", 0.2, interactions),
    Part("inventory", "Supply in the market", "market", 0.4, inventory),
    Part("price_trend", "Price trend in the market", "market", 0.6, price_trend),
)


def _freshness(days: float) -> float:
    return float(0.5 ** (max(days, 0.0) / HALF_LIFE_DAYS))


def _bounded(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _yardstick(market: MarketFacts) -> str:
    if market.median_price:
        return f"the median price in {market.name}"
    return f"the middle budget of the leads in {market.name}"


def _why_no_ratio(facts: LeadFacts, market: MarketFacts | None) -> str:
    if facts.budget is None:
        return "The budget is not known."
    if facts.property_type == "land":
        return "The market's prices are of homes and say nothing of land."
    return "The market's prices are not known." if market else "The market is not known."


def _days(days: float) -> str:
    return "today" if days < 1 else "1 day ago" if days < 2 else f"{days:.0f} days ago"


def _hours(hours: float) -> str:
    return "within the hour" if hours < 1 else f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
