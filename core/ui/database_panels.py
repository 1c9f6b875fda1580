"""The upper half of the database page: its first line, the numbers of the window, and the live charts."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core.platform.database_verdict import DatabaseFacts
from core.platform.database_view import DatabaseView
from core.platform.query_figures import QUERY, WAIT
from core.platform.units import duration
from core.platform.verdict import Verdict
from core.settings import Settings
from core.ui.live_chart import HISTORY_WINDOWS, LiveView, live_chart
from core.ui.live_line import LiveLine
from core.ui.text import plain
from core.ui.verdict import draw_line, span

WINDOWS, DEFAULT_WINDOW = ("1m", "5m", "15m", "1h", *HISTORY_WINDOWS), "5m"
WINDOW_WORDS = {60: "last minute", 300: "last 5 minutes", 900: "last 15 minutes", 3_600: "last hour"}
NO_QUERY = "No query yet: make traffic on the Overview, or call the HTTP API."
WINDOW_NOTE = "Time inside PostgreSQL of all queries of this process in the window. P95 needs 20 samples."
STALE_SECONDS = 10.0
Colour = Literal["green", "red", "off"]


def draw_verdict(view: DatabaseView) -> None:
    """The first line, and what to do."""
    verdict = view.verdict
    lasting = span(view.loaded_at - verdict.since) if verdict.since else ""
    draw_line(verdict.state, plain(_line(verdict, lasting)), verdict.next_step)


def draw_numbers(facts: DatabaseFacts, settings: Settings) -> None:
    """P95 against its target, the pool, who waits for a connection, and who waits for a lock."""
    with st.grid(4, min_column_width=200):
        _p95(facts, settings.target_database_p95_seconds)
        pool = facts.pool
        busy = max(0, pool.size - pool.idle)
        _metric(
            "Connections busy",
            f"{busy} of {pool.max_size}",
            f"{pool.size} open, {pool.idle} idle, {pool.min_size} kept",
            colour="red" if busy >= pool.max_size else "off",
            help="Of the pool that the platform's queries share. The page itself looks through a connection of its own.",
        )
        _waiting(facts)
        _blocked(facts)
    age = f":orange[{facts.age_seconds:.0f} s old]" if facts.age_seconds > STALE_SECONDS else f"{facts.age_seconds:.0f} s old"
    version = f"PostgreSQL {facts.status.version} · " if facts.status.version else ""
    problem = f":red[{plain(facts.status.error)}] · " if facts.status.state == "down" else ""
    breaker = f"breaker {facts.breaker.state.replace('_', ' ')} · " if facts.breaker else ""
    why = f"pool of at most {facts.pool.max_size}: {plain(facts.pool.max_reason)} · " if facts.pool.max_reason else ""
    st.caption(f"{version}{problem}{breaker}{_replica(facts)}{why}this process · {age}")


def draw_charts(settings: Settings, view: LiveView) -> None:
    """How long queries took, and how long they waited for a connection before."""
    times, waits = st.columns(2, gap="small")
    with times.container(border=True):
        live_chart(
            "live-database-time",
            "Time in PostgreSQL",
            tuple(LiveLine(QUERY, name, name.upper()) for name in ("p50", "p95", "p99")),
            unit="ms",
            view=view,
            target=settings.target_database_p95_seconds,
            target_name="P95",
            empty=NO_QUERY,
            alt="Line chart of P50, P95 and P99 of the time that queries took in PostgreSQL, in milliseconds.",
        )
    with waits.container(border=True):
        live_chart(
            "live-database-wait",
            "Wait for a connection of the pool",
            tuple(LiveLine(WAIT, name, name.upper()) for name in ("p50", "p95", "p99")),
            unit="ms",
            view=view,
            empty=NO_QUERY,
            alt="Line chart of P50, P95 and P99 of the time that queries waited for a connection, in milliseconds.",
        )


def _line(verdict: Verdict, lasting: str) -> str:
    if verdict.state == "fine":
        return verdict.reason
    return f"{'Not fine' if verdict.state == 'not_fine' else 'Cannot tell'}{lasting and f', {lasting}'}: {verdict.reason}"


def _p95(facts: DatabaseFacts, target: float) -> None:
    times, words = facts.times, WINDOW_NOTE
    if times.p95 is None:
        note = f"not enough samples · n={times.count:,}" if times.count else f"no samples; target {duration(target)}"
        _metric("Database P95", "—", note, help=words)
        return
    kept = times.p95 < target
    note = f"{'below' if kept else 'above'} {duration(target)} · P50 {duration(times.p50)} · n={times.count:,}"
    colour: Colour = "off" if facts.status.state == "down" else "green" if kept else "red"
    _metric("Database P95", duration(times.p95), note, colour=colour, help=words)


def _waiting(facts: DatabaseFacts) -> None:
    waits = facts.waits
    note = (
        f"P95 of a wait {duration(waits.p95)} · longest {duration(waits.max)}" if waits.p95 is not None else "no wait measured"
    )
    colour: Colour = "red" if facts.pool.waiting else "off"
    _metric(
        "Wait for a connection",
        f"{facts.pool.waiting:,}",
        note,
        colour=colour,
        help="Requests that wait now, first come first.",
    )


def _blocked(facts: DatabaseFacts) -> None:
    found = facts.sessions.value
    if found is None or facts.sessions.error:
        _metric("Wait for a lock", "—", "not known while PostgreSQL does not answer")
        return
    blocked = found.blocked
    note = (
        f"longest {duration(blocked[0].waiting_seconds)}" if blocked else f"{len(found.sessions)} sessions, nobody is held up"
    )
    _metric("Wait for a lock", f"{len(blocked):,}", note, colour="red" if blocked else "off")


def _replica(facts: DatabaseFacts) -> str:
    replica = facts.pool.replica
    if replica is None:
        return ""
    state = "answers" if replica.used else f"set aside: {plain(replica.problem)}"
    lag = f", {duration(replica.lag_seconds)} behind" if replica.lag_seconds is not None else ""
    return f"replica {state}{lag} · "


def _metric(label: str, value: str, note: str, *, colour: Colour = "off", help: str | None = None) -> None:
    st.metric(label, value, note, delta_color=colour, delta_arrow="off", border=True, height="stretch", help=help)
