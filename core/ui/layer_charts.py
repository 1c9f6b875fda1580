"""LayerCharts: how long each layer takes and how much is answered without it, as stacked charts on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.claude.messages import Scope
from core.settings import Settings
from core.ui.live_chart import LiveView, live_chart
from core.ui.live_line import LiveLine

GROUP = "overview"
HEIGHT, QUIET_HEIGHT = 150, 126
NO_TRAFFIC = "No request yet: make traffic below, or call the HTTP API."
NO_QUERY = "No query yet: every request to the HTTP API brings some."
NO_READ = "No read of the cache yet: every request to the HTTP API brings some."
NO_ASKS = "No ask yet: open a lead, or call POST /api/analysis."


def layer_charts(settings: Settings, scope: Scope, view: LiveView) -> None:
    """API, database, cache and Claude, and the hit rates; a zoom or a pointer in one is one in all."""
    chart = partial(live_chart, view=view, group=GROUP, height=HEIGHT)
    next_chart = partial(chart, quiet=True, height=QUIET_HEIGHT)
    with st.container(border=True, gap="small", key="layers"):
        chart(
            "live-api", "API latency", _quantiles("api_request_seconds"), unit="ms", empty=NO_TRAFFIC,
            target=settings.target_api_p95_seconds, target_name="P95", alt=_alt("API requests"),
        )  # fmt: skip
        next_chart(
            "live-database", "Database latency", _quantiles("database_query_seconds"), unit="ms", empty=NO_QUERY,
            target=settings.target_database_p95_seconds, target_name="P95", alt=_alt("database queries"),
        )  # fmt: skip
        next_chart(
            "live-cache-read", "Cache read latency", _quantiles("cache_read_seconds"), unit="ms", empty=NO_READ,
            target=settings.target_cache_read_p95_seconds, target_name="P95", alt=_alt("reads of the cache"),
        )  # fmt: skip
        next_chart(
            "live-claude", "Claude latency" + (", rehearsed" if scope == "rehearsal" else ""),
            _quantiles("claude_answer_seconds", (scope, "interactive", "made")), unit="s", empty=NO_ASKS,
            target=settings.target_claude_mean_seconds if scope == "claude" else None, target_name="mean",
            alt=_alt("answers that Claude made"),
        )  # fmt: skip
        chart(
            "live-hit-rates", "Hit rates", _hit_rates(), unit="%", empty=NO_READ,
            target=settings.target_cache_hit_rate, target_name="cache",
            alt="Line chart of the shares of reads that the cache answered, and of asks that needed no call of Claude.",
        )  # fmt: skip


def _quantiles(metric: str, labels: tuple[str, ...] | None = None) -> Sequence[LiveLine]:
    return (
        LiveLine(metric, "p50", "P50", labels),
        LiveLine(metric, "p95", "P95", labels),
        LiveLine(metric, "p99", "P99", labels),
    )


def _hit_rates() -> Sequence[LiveLine]:
    return (
        LiveLine("cache_answers", "share", "cache", ("promised", "hit"), against=("promised", "miss")),
        LiveLine("cache_answers", "share", "Claude", ("paid", "hit"), against=("paid", "miss")),
    )


def _alt(what: str) -> str:
    return f"Line chart of P50, P95 and P99 of the time that {what} took."
