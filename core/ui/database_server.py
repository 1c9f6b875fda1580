"""The whole server on the database page, and the plan of a statement of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.database.server_statements import ServerLoad, ServerStatement
from core.platform.panel import Panel
from core.ui.database_actions import draw_plan, explain_into, what_it_runs
from core.ui.session import services
from core.ui.text import plain
from core.ui.verdict import clock

MEANS = "Means, never P95: PostgreSQL keeps no distribution of times. The times of this process, with P95, are at Queries."
SQL, PARAMETERS, PLAN = "own_sql", "own_parameters", "plan-own"
REASONS = {
    "not_installed": "pg_stat_statements is not installed in this database, so what other programs ask cannot be told.",
    "not_loaded": "pg_stat_statements is not loaded, so what other programs ask cannot be told.",
    "no_right": "This role may not see what others ask.",
}


def _number(**options: Any) -> Any:
    return st.column_config.NumberColumn(**options)


COLUMNS: dict[str, Any] = {
    "Statement": st.column_config.TextColumn(width="large"),
    "Share of time": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width=110),
    "In all, s": _number(format="%.2f", width=80),
    "Calls": _number(format="localized", width=80),
    "Mean, ms": _number(format="%.3f", width=80, help=MEANS),
    "Rows a call": _number(format="%.1f", width=90),
    "Pages a call": _number(format="%.0f", width=90),
    "Read, %": _number(format="%.1f", width=75, help="Share of its pages that were not in PostgreSQL's memory."),
}


def server_panel(panel: Panel[ServerLoad]) -> None:
    """What all programs asked since the first look of this process."""
    load = panel.value
    if load is None or panel.error:
        why = plain(panel.error.rstrip("."))
        st.warning(f"What the server does cannot be told: {why}. {panel.next_step}", icon=":material/cloud_off:")
        return
    if load.availability != "available":
        st.info(f"{REASONS[load.availability]} {plain(load.next_step)}", icon=":material/visibility_off:")
        return
    since = clock(load.since, datetime.now(UTC)) if load.since else "the start"
    st.caption(f"All programs on this database since {since}, when this page was first opened. {MEANS}")
    if not load.statements:
        st.info("Nothing was asked since.", icon=":material/hourglass_empty:")
        return
    rows = [_row(statement, load.seconds) for statement in load.statements]
    st.dataframe(rows, key="server-statements", hide_index=True, column_config=COLUMNS, placeholder="—")


def own_statement() -> None:
    """The plan of a statement that somebody pastes: it is run, read-only, and rolled back."""
    st.caption("One SELECT, VALUES or WITH that only reads. It is run once, for five seconds at most, and rolled back.")
    sql = st.text_area("SQL", key=SQL, height=160, placeholder="SELECT * FROM leads WHERE market_id = $1 LIMIT $2")
    parameters = st.text_input("Parameters, as a JSON array", key=PARAMETERS, placeholder='["austin", 50]')
    operations = services().database_operations
    st.button(
        "Explain",
        type="primary",
        icon=":material/account_tree:",
        key="explain-own",
        disabled=not sql.strip(),
        on_click=explain_into,
        args=(PLAN, lambda: operations.explain_pasted(sql, parameters.strip())),
    )
    if (shown := st.session_state.get(PLAN)) is not None:
        draw_plan(shown)
    if sql.strip():
        what_it_runs(operations.explain.commands(sql.strip().rstrip(";")))


def _row(statement: ServerStatement, seconds: float) -> dict[str, Any]:
    return {
        "Statement": statement.text,
        "Share of time": 100 * statement.seconds / seconds if seconds else 0.0,
        "In all, s": statement.seconds,
        "Calls": statement.calls,
        "Mean, ms": statement.mean_seconds * 1000,
        "Rows a call": statement.rows / statement.calls,
        "Pages a call": statement.pages / statement.calls,
        "Read, %": 100 * statement.pages_read / statement.pages if statement.pages else 0.0,
    }
