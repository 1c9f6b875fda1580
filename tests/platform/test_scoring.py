"""The rules: what moves a score, what must not, and what is said to be missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from core.platform.lead_analysis import check_analysis
from core.platform.lead_facts import LeadFacts
from core.platform.market_facts import MarketFacts
from core.platform.markets import MarketDetail
from core.platform.scoring import score_lead

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AUSTIN = MarketFacts(name="Austin", median_price=300_000, inventory_months=3.0, price_trend=0.1)
HOT = LeadFacts(
    market="austin", budget_most=330_000, property_type="condo", stage="hot", interactions=16, days_since_activity=0,
    acts=(("showing_booked", 1),), response_hours=1,
)  # fmt: skip


def test_the_weights_are_the_guides_without_age_and_income() -> None:
    """Within each group in the guide's proportions; all of them together make 1, and the best lead gets 100."""
    score = score_lead(HOT, AUSTIN)
    weights = {part.name: part.weight for part in score.parts}
    assert weights == pytest.approx(
        {
            "location": 0.2,
            "engagement": 0.3,
            "response_time": 0.18,
            "interactions": 0.12,
            "inventory": 0.08,
            "price_trend": 0.12,
        }
    )
    assert score.score == 100
    assert score.missing == ()
    assert sum(part.points for part in score.parts) == pytest.approx(100)
    assert [text.split(" ")[0] for text in score.left_out] == ["Age", "Income"]


def test_what_is_not_known_is_left_out_and_said() -> None:
    """The weights of the others grow to 1; without a market nothing is said of its prices."""
    score = score_lead(replace(HOT, response_hours=None))
    known = {part.name: part.weight for part in score.parts if part.weight}
    assert known == pytest.approx({"engagement": 0.5 / 0.7, "interactions": 0.2 / 0.7})
    assert {part.name for part in score.parts if part.value is None} == {
        "location",
        "response_time",
        "inventory",
        "price_trend",
    }
    assert len(score.missing) == 5
    assert "price sensitivity" in score.missing[-1]
    assert score.price_sensitivity == "medium"


def test_a_wish_alone_makes_no_lead_hot() -> None:
    """Of somebody of whom only the budget is known, or who was never contacted, the score is low."""
    for facts in (
        LeadFacts(budget_most=900_000),
        LeadFacts(),
        LeadFacts(budget_most=900_000, never_contacted=True, interactions=0),
    ):
        score = score_lead(facts, AUSTIN)
        assert 1 <= score.score <= 40
        assert (score.buying_timeline, score.engagement_level) == ("exploring", "low")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"days_since_activity": 330.0}, "engagement"), ({"acts": (("email_sent", 3),)}, "engagement"),
        ({"interactions": 1}, "interactions"), ({"response_hours": 100.0}, "response_time"),
        ({"budget_most": 150_000.0}, "location"),
    ],
)  # fmt: skip
def test_each_part_follows_its_fact(change: dict[str, float], part: str) -> None:
    """A worse fact lowers its own part and no other, and is told in words."""
    best, worse = score_lead(HOT, AUSTIN), score_lead(replace(HOT, **change), AUSTIN)
    moved = [one.name for one, other in zip(best.parts, worse.parts, strict=True) if one.points != other.points]
    assert moved == [part]
    assert worse.score < best.score
    assert all(one.fact.endswith(".") for one in worse.parts)


def test_who_and_where_somebody_is_moves_no_point() -> None:
    """Name, mail, neighborhoods, source and notes of a row change nothing: neither score nor words."""
    lead = {
        "id": 1, "market_id": "austin", "status": "active", "budget_range": "200k-300k", "property_type": "condo",
        "last_interaction_at": NOW - timedelta(days=2), "name": "Wren", "email": "w@example.com", "phone": None, "notes": None,
        "source": "web", "property_preferences": {"neighborhoods": ["Hyde Park"]}, "search_history": [],
    }  # fmt: skip
    other = lead | {
        "id": 2, "name": "Other", "email": "x@example.org", "phone": "+1 512 555 0100", "source": "referral",
        "notes": "Retired couple, goes to church, uses a wheelchair.",
        "property_preferences": {"neighborhoods": ["East Austin"]},
        "search_history": [{"text": "near the mosque"}], "age": 70, "income": 20_000,
    }  # fmt: skip
    assert score_lead(LeadFacts.from_lead(lead, [], now=NOW), AUSTIN) == score_lead(
        LeadFacts.from_lead(other, [], now=NOW), AUSTIN
    )


def test_who_must_not_be_contacted_is_not() -> None:
    """Whatever else is known, the only recommendation for an unsubscribed lead is to leave it alone."""
    score = score_lead(replace(HOT, stage="unsubscribed"), AUSTIN)
    assert score.recommendations == ("Do not contact this lead: it has unsubscribed.",)
    assert score.buying_timeline == "exploring"


def test_price_sensitivity_follows_the_market() -> None:
    """The same budget is ample in one market and tight in another; prices of homes say nothing of land."""
    tight, ample = replace(AUSTIN, median_price=500_000), replace(AUSTIN, median_price=200_000)
    assert [score_lead(HOT, market).price_sensitivity for market in (tight, AUSTIN, ample)] == ["high", "medium", "low"]
    land = score_lead(replace(HOT, property_type="land"), tight)
    assert land.price_sensitivity == "medium"
    assert any("land" in text for text in land.missing)


def test_a_rules_score_is_a_valid_analysis() -> None:
    """For every kind of lead: the same bounds as Claude's answers."""
    for stage in (None, "new", "hot", "won", "unsubscribed"):
        for days in (None, 0.5, 20.0, 400.0):
            facts = LeadFacts(
                stage=stage, days_since_activity=days, never_contacted=stage == "new" and days is None, unanswered=4
            )
            analysis = score_lead(facts, AUSTIN).analysis()
            value = {name: getattr(analysis, name) for name in analysis.__dataclass_fields__}
            assert check_analysis(value) == ()


def test_facts_of_a_market() -> None:
    """The newest price and supply; the trend compares a year with the one before, and is not known of less than two."""
    months = [date(2013 + number // 12, number % 12 + 1, 1) for number in range(24)]
    prices = [(month, 100_000.0 if number < 12 else 110_000.0) for number, month in enumerate(months)]
    detail = MarketDetail({"name": "Austin"}, {"median_price": prices, "inventory_months": [(months[-1], 4.5)]})
    facts = MarketFacts.of(detail, {"budget_percentiles": [1, 2, 3, 4], "interaction_percentiles": None})
    assert (facts.median_price, facts.inventory_months, facts.price_trend) == (110_000, 4.5, pytest.approx(0.1))
    assert (facts.lead_budgets, facts.lead_interactions) == ((1, 2, 3, 4), None)
    assert MarketFacts.of(replace(detail, series={"median_price": prices[1:]})).price_trend is None
    assert facts.lines()[0] == "Median price (December 2014): 110,000 dollars"
