"""Market facts: the few figures of a market that rules weigh a lead against.

Figures of the whole market only: no neighborhood, no people. Each may be missing, and is then said to be.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from core.platform.markets import MarketDetail

YEAR_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """Dollars, months of supply, and the change of prices in a year as a share (0.05: 5 % more); None: not known.

    `lead_budgets` and `lead_interactions` are the 25th, 50th, 75th and 90th percentiles of the market's own leads.
    """

    name: str
    month: date | None = None
    median_price: float | None = None
    inventory_months: float | None = None
    price_trend: float | None = None
    lead_budgets: tuple[float, ...] | None = None
    lead_interactions: tuple[float, ...] | None = None

    @classmethod
    def of(cls, detail: MarketDetail, model: Mapping[str, Any] | None = None) -> MarketFacts:
        """The facts of a market's figures, and of its scoring model where there is one."""
        prices = detail.series.get("median_price", ())
        supply = detail.series.get("inventory_months", ())
        model = model or {}
        return cls(
            name=str(detail.market["name"]),
            month=prices[-1][0] if prices else None,
            median_price=prices[-1][1] if prices else None,
            inventory_months=supply[-1][1] if supply else None,
            price_trend=_yearly_change([value for _, value in prices]),
            lead_budgets=_percentiles(model.get("budget_percentiles")),
            lead_interactions=_percentiles(model.get("interaction_percentiles")),
        )

    def lines(self) -> tuple[str, ...]:
        """Each known figure in words, with its month: what is put beside an analysis, and what a market prompt gets."""
        when = f" ({self.month:%B %Y})" if self.month else ""
        lines = [
            f"Median price{when}: {self.median_price:,.0f} dollars" if self.median_price is not None else "",
            f"Supply: {self.inventory_months:.1f} months" if self.inventory_months is not None else "",
            f"Prices of the last 12 months against the 12 before: {self.price_trend:+.1%}"
            if self.price_trend is not None
            else "",
        ]
        return tuple(line for line in lines if line)


def _yearly_change(prices: Sequence[float]) -> float | None:
    """The mean of the last twelve months against that of the twelve before; single months swing with the season."""
    if len(prices) < 2 * YEAR_MONTHS:
        return None
    before = statistics.fmean(prices[-2 * YEAR_MONTHS : -YEAR_MONTHS])
    return statistics.fmean(prices[-YEAR_MONTHS:]) / before - 1 if before > 0 else None


def _percentiles(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return tuple(float(value) for value in values) if values else None
