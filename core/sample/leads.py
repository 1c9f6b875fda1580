"""Rows of `leads`: who they are, what they look for, and score and status that follow from their activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.database.schema import LEAD_STATUSES
from core.sample import people, wishes
from core.sample.calendars import DAY_SECONDS
from core.sample.columns import flags, instants
from core.sample.files import Floats, Integers
from core.sample.places import SLUGS, neighborhood_codes
from core.sample.texts import pick_weighted, take, weighted

SOURCES = ("web", "portal", "referral", "open_house")
SOURCE_WEIGHTS = np.array([0.45, 0.30, 0.15, 0.10])
# Score: a logistic of the number of interactions and of the days since the last one. The numbers are chosen so that three leads
# in ten reach 50, the default of the lead list, and one in fifteen reaches 80.
SCORE_BASE, SCORE_PER_DOUBLING, SCORE_PER_DAY, SCORE_NOISE = -1.9, 0.75, -0.016, 0.55
COLD_SCORE_MOST = 25
# Share of each status by band of score (below 20, 40, 60, 80, and above); the last row is of leads who were never contacted.
STATUS_TABLE = np.array(
    [
        # new active nurturing hot qualified won lost unsubscribed
        [0.02, 0.20, 0.40, 0.00, 0.00, 0.01, 0.27, 0.10],
        [0.04, 0.32, 0.44, 0.00, 0.04, 0.03, 0.09, 0.04],
        [0.05, 0.47, 0.22, 0.03, 0.14, 0.05, 0.03, 0.01],
        [0.02, 0.34, 0.06, 0.18, 0.30, 0.09, 0.01, 0.00],
        [0.00, 0.14, 0.00, 0.56, 0.20, 0.10, 0.00, 0.00],
        [0.90, 0.00, 0.00, 0.00, 0.00, 0.00, 0.08, 0.02],
    ]
)
# Most leads are 'new' in their first two days, whatever they did.
NEW_SECONDS, NEW_SHARE = 2 * DAY_SECONDS, 0.7


@dataclass(frozen=True, slots=True, eq=False)
class LeadFacts:
    """What is known of leads before their row is drawn, one entry each; instants in seconds since 1970, NaN: never."""

    id: Integers
    market: Integers
    median_price: Floats
    arrived: Floats
    last: Floats
    count: npt.NDArray[np.int32]


def lead_rows(rng: np.random.Generator, facts: LeadFacts, end: float) -> pa.RecordBatch:
    """Rows of `leads` for these facts, as of `end`."""
    rows = len(facts.id)
    name, mail = people.names_and_mails(rng, facts.id)
    kind = weighted(rng, wishes.WANTED_TYPE_WEIGHTS, rows)
    hood, other_hood = neighborhood_codes(rng, facts.market), neighborhood_codes(rng, facts.market)
    budget = wishes.budgets(rng, facts.median_price)
    score = _scores(rng, facts, end)
    return pa.record_batch(
        {
            "id": facts.id,
            "market_id": take(SLUGS, facts.market),
            "name": name,
            "email": mail,
            "phone": people.phones(rng, facts.market),
            "status": take(LEAD_STATUSES, _statuses(rng, facts, score, end)),
            "score": score,
            "budget_range": wishes.budget_ranges(budget),
            "property_type": take(wishes.WANTED_TYPES, kind),
            "property_preferences": wishes.preferences(rng, kind, hood, other_hood, budget),
            "search_history": wishes.searches(rng, kind, hood, budget, (facts.arrived, end)),
            "notes": wishes.notes(rng, hood),
            "source": pick_weighted(rng, SOURCES, SOURCE_WEIGHTS, rows),
            "assigned_agent_id": pick_weighted(rng, people.agents(), people.agent_weights(), rows),
            "last_interaction_at": instants(facts.last),
            "synthetic": flags(True, rows),
            "created_at": instants(facts.arrived),
            "updated_at": instants(np.where(np.isnan(facts.last), facts.arrived, facts.last)),
        }
    )


def _scores(rng: np.random.Generator, facts: LeadFacts, end: float) -> Integers:
    cold = np.isnan(facts.last)
    days = np.where(cold, 0, end - facts.last) / DAY_SECONDS
    noise = rng.normal(0, SCORE_NOISE, len(cold))
    doublings = np.log2(np.maximum(facts.count, 1))
    warm_score = 100 / (1 + np.exp(-(SCORE_BASE + SCORE_PER_DOUBLING * doublings + SCORE_PER_DAY * days + noise)))
    score = np.where(cold, COLD_SCORE_MOST * rng.random(len(cold)), warm_score)
    return np.clip(np.round(score), 0, 100).astype(np.int64)


def _statuses(rng: np.random.Generator, facts: LeadFacts, score: Integers, end: float) -> Integers:
    cold = np.isnan(facts.last)
    band = np.where(cold, len(STATUS_TABLE) - 1, np.minimum(score // 20, len(STATUS_TABLE) - 2))
    bounds = np.cumsum(STATUS_TABLE, axis=1)[band]
    status = np.minimum((rng.random((len(cold), 1)) >= bounds).sum(axis=1), len(LEAD_STATUSES) - 1)
    fresh = (end - facts.arrived < NEW_SECONDS) & (rng.random(len(cold)) < NEW_SHARE)
    return np.where(fresh, LEAD_STATUSES.index("new"), status)
