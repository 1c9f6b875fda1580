"""When people are active: the share of a period's activity that each hour holds, and instants drawn by it.

Owns the weights of hours, weekdays, months and age. Instants are seconds since 1970 (UTC) throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.sample.files import Floats, TexasMonths

DAY_SECONDS = 86_400
# Central standard time, of four markets in five; summer time would move the pattern by an hour, which nobody reads off it.
UTC_OFFSET_SECONDS = -6 * 3600
# Activity of home seekers by local hour, and by weekday from Monday. Chosen, not measured: quiet nights, busy evenings and
# weekends.
HOUR_WEIGHTS = np.array(
    [6, 4, 3, 2, 2, 4, 12, 26, 44, 58, 64, 66, 68, 64, 62, 62, 64, 68, 74, 80, 78, 62, 36, 16], dtype=np.float64
)  # fmt: skip
WEEKDAY_WEIGHTS = np.array([1.0, 1.02, 1.0, 0.98, 0.9, 1.08, 1.12])
# A platform that grows: the activity of 150 days ago is half of today's. Chosen for a year that ends about 2x its mean.
HALF_LIFE_DAYS = 150.0


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """The share of a period's activity that has passed by the edges of its hours: both increase, shares from 0 to 1."""

    edges: Floats
    shares: Floats

    def instants(self, shares: Floats) -> Floats:
        """Instants by which these shares of the activity have passed."""
        return np.interp(shares, self.shares, self.edges)

    def passed(self, instants: Floats) -> Floats:
        """Shares of the activity that have passed by these instants, in [0, 1]."""
        return np.interp(instants, self.edges, self.shares)


def arrivals(start: float, end: float, months: Floats) -> Calendar:
    """Calendar of new leads and listings; `months` holds twelve weights from January."""
    edges, middles = _hours(start, end)
    return _calendar(edges, _weights(middles, end) * months[_month(middles)])


def engagement(leads: Calendar) -> Calendar:
    """Calendar of interactions with leads that arrive by `leads`: in proportion to the leads that are there."""
    middles = (leads.edges[1:] + leads.edges[:-1]) / 2
    # The small constant keeps shares increasing in the first hour, when nobody is there yet.
    return _calendar(leads.edges, _weights(middles, leads.edges[-1]) * (leads.passed(middles) + 1e-3))


def month_weights(texas: TexasMonths) -> Floats:
    """Twelve weights from January, of mean 1: home sales of the four Texas cities by calendar month."""
    calendar_month = texas.month.astype(np.int64) % 12
    sales = texas.figures["sales"]
    means = np.array([np.nanmean(sales[calendar_month == month]) for month in range(12)])
    weights: Floats = means / means.mean()
    return weights


def local_hour(instants: Floats) -> Floats:
    """Hour of the day in the markets' standard time, in [0, 24)."""
    hours: Floats = (instants + UTC_OFFSET_SECONDS) % DAY_SECONDS / 3600
    return hours


def _hours(start: float, end: float) -> tuple[Floats, Floats]:
    """Edges at full hours between start and end, both included, and the middles between them."""
    first = np.floor(start / 3600) + 1
    edges = np.unique(np.concatenate([[start], np.arange(first * 3600, end, 3600.0), [end]]))
    return edges, (edges[1:] + edges[:-1]) / 2


def _weights(instants: Floats, end: float) -> Floats:
    day = np.floor((instants + UTC_OFFSET_SECONDS) / DAY_SECONDS).astype(np.int64)
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    age_days = (end - instants) / DAY_SECONDS
    weights: Floats = (
        HOUR_WEIGHTS[local_hour(instants).astype(np.int64)] * WEEKDAY_WEIGHTS[weekday] * np.exp2(-age_days / HALF_LIFE_DAYS)
    )
    return weights


def _month(instants: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return instants.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12


def _calendar(edges: Floats, weights: Floats) -> Calendar:
    mass = np.concatenate([[0.0], np.cumsum(weights * np.diff(edges))])
    return Calendar(edges, mass / mass[-1])
