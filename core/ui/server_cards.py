"""The servers that the platform stands on, as cards of one HTML element: state, age and ping; what to do when one is down."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from html import escape

import streamlit as st

from core.cache.redis_tier import RedisStats
from core.database.pool import DatabaseStats
from core.health import DependencyStatus
from core.platform.overview import OverviewView
from core.platform.units import MIB
from core.ui.verdict import span

SIGNS = {"up": "✓", "down": "✕", "starting": "…"}


def server_cards(view: OverviewView, told: Collection[str]) -> None:
    """One card for each; of one that is down, and not told as a broken promise yet, a message says what to do."""
    for status in view.dependencies:
        if status.state == "down" and status.name not in told:
            st.error(f"{status.error}\n\n**Next:** {status.next_step}", icon=":material/error:")
    details = {"postgresql": _pool_line(view.pool), "redis": _redis_line(view.redis.value)}
    cards = "".join(_card(status, details.get(status.name, "")) for status in view.dependencies)
    st.html(f'<div class="servers">{cards}</div>')


def _card(status: DependencyStatus, detail: str) -> str:
    now = datetime.now(UTC)
    last = status.latencies_seconds[-1] if status.latencies_seconds else None
    ping = f"{last * 1000:.2f} ms" if last is not None else "no answer" if status.latencies_seconds else "—"
    checked = f"checked {span(now - status.checked_at)} ago" if status.checked_at else "not checked yet"
    quiet = " · ".join(part for part in (status.where, detail if status.state == "up" else "", checked) if part)
    return (
        f'<div class="servers__server"><div class="servers__head"><span><b>{escape(status.title)}</b> {escape(status.version)}'
        f'</span><span class="servers__state servers__state--{status.state}">{SIGNS[status.state]} {status.state} '
        f"{span(now - status.since)}</span></div>"
        f'<div class="servers__ping">ping <b>{ping}</b>{_pings(status.latencies_seconds)}</div>'
        f'<div class="servers__quiet">{escape(quiet)}</div></div>'
    )


def _pings(latencies_seconds: Sequence[float | None]) -> str:
    """How the last of them went."""
    known = [item for item in latencies_seconds if item is not None]
    if len(latencies_seconds) < 2 or not known:
        return ""
    missing = len(latencies_seconds) - len(known)
    lost = f", {missing} without an answer" if missing else ""
    return f" · longest {max(known) * 1000:.2f} ms of the last {len(latencies_seconds)}{lost}"


def _pool_line(pool: DatabaseStats) -> str:
    return f"{pool.size - pool.idle} of {pool.max_size} pool connections busy"


def _redis_line(stats: RedisStats | None) -> str:
    if stats is None:
        return ""
    if stats.used_bytes is None:
        return f"{stats.keys:,} keys, memory not known: {stats.note}"
    used = f"{stats.used_bytes / MIB:,.1f}"
    memory = f"{used} of {stats.max_bytes / MIB:,.0f} MiB" if stats.max_bytes else f"{used} MiB, no limit"
    return f"{stats.keys:,} keys, {memory}"
