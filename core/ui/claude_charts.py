"""The live charts of the Claude page: what people waited, what was kept, what came of asks, and the queue."""

from __future__ import annotations

import streamlit as st

from core.claude.messages import Scope
from core.settings import Settings
from core.ui.live_chart import LiveView, live_chart
from core.ui.live_line import LiveLine

NO_ASKS = "No ask yet: open a lead, or call POST /api/analysis."
OUTCOMES = (
    ("hit", "kept"), ("made", "made"), ("joined", "joined"), ("rate_limited", "429"), ("overloaded", "529"),
    ("timeout", "timeout"), ("over_budget", "over budget"),
)  # fmt: skip


def draw_charts(settings: Settings, scope: Scope, view: LiveView) -> None:
    """Four charts; the target is drawn only where Claude itself answers."""
    wait, kept = st.columns(2, gap="small")
    with wait.container(border=True):
        _wait(settings, scope, view)
    with kept.container(border=True):
        _kept(settings, view)
    outcomes, queue = st.columns(2, gap="small")
    with outcomes.container(border=True):
        _outcomes(scope, view)
    with queue.container(border=True):
        _queue(view)


def _wait(settings: Settings, scope: Scope, view: LiveView) -> None:
    answer, made, hit = "claude_answer_seconds", (scope, "interactive", "made"), (scope, "interactive", "hit")
    live_chart(
        "live-claude-wait",
        "What people waited" + (" (rehearsed)" if scope == "rehearsal" else ""),
        (
            LiveLine(answer, "p50", "made P50", made),
            LiveLine(answer, "p95", "made P95", made),
            LiveLine(answer, "p95", "kept P95", hit),
            LiveLine("claude_first_token_seconds", "p50", "first token P50", (scope,)),
        ),
        unit="s",
        view=view,
        target=settings.target_claude_mean_seconds if scope == "claude" else None,
        target_name="mean",
        empty=NO_ASKS,
        alt="Line chart of P50 and P95 of answers that were made or kept, and of the first token, in seconds.",
    )


def _kept(settings: Settings, view: LiveView) -> None:
    live_chart(
        "live-claude-hit-rate",
        "AI hit rate",
        (LiveLine("cache_answers", "share", "hit rate", ("paid", "hit"), against=("paid", "miss")),),
        unit="%",
        view=view,
        target=settings.target_claude_hit_rate,
        target_name="at least",
        empty=NO_ASKS,
        alt="Line chart of the share of reads of Claude's families that were answered without asking, in percent.",
    )


def _outcomes(scope: Scope, view: LiveView) -> None:
    live_chart(
        "live-claude-outcomes",
        "Asks by outcome",
        (
            LiveLine("claude_answers", "rate", "all"),
            *(LiveLine("claude_answers", "rate", name, (scope, kind)) for kind, name in OUTCOMES),
        ),
        unit="/s",
        view=view,
        empty=NO_ASKS,
        alt="Line chart of asks per second by how they were answered or why they were not.",
    )


def _queue(view: LiveView) -> None:
    lanes = (("interactive", "people"), ("background", "background"))
    live_chart(
        "live-claude-queue",
        "Wait before the first send",
        tuple(LiveLine("claude_queue_seconds", "p95", f"{name} P95", (lane,)) for lane, name in lanes),
        unit="ms",
        view=view,
        empty="Nothing was sent yet: a kept answer waits for nobody.",
        alt="Line chart of P95 of the time that asks waited in the queue, for people and for background work, in milliseconds.",
    )
