"""The proof on the database page: a query measured before and after a change, and what comes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.database.plan_tree import plan_lines
from core.database.proof import RULE, Figures, Proof, ProofVerdict, figures
from core.database.replay import Replayed
from core.platform.database_operations import ProofState, Side
from core.platform.database_view import QueryView
from core.platform.units import duration
from core.ui.database_actions import act, what_it_runs
from core.ui.session import operator, services
from core.ui.text import plain
from core.ui.verdict import clock

LOOK: dict[ProofVerdict, tuple[str, str]] = {
    "helped": ("green", "trending_down"),
    "no effect": ("gray", "trending_flat"),
    "harmed": ("red", "trending_up"),
    "too few": ("orange", "help"),
}


def proof_panel(view: QueryView) -> None:
    """Measure before, change something, measure after."""
    operations = services().database_operations
    state = operations.proof(view.name)
    if not view.sampling.sets and state.before is None:
        return
    st.markdown("**Does a change help?**")
    st.caption(
        "Measure it, build or drop an index, then measure it again with the same parameters: the verdict compares set by set."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        _button(view.name, "before", "Measure before", disabled=not view.sampling.sets)
        _button(view.name, "after", "Measure after", disabled=state.before is None)
        st.caption(_measured(state))
    if (proof := state.proof) is not None:
        draw_proof(proof)
    elif state.before is not None:
        _one_side(state.before)
    example = state.before.sets[0].asked if state.before else view.sampling.sets[0]
    what_it_runs(operations.proof_commands(view.name, example))


def draw_proof(proof: Proof) -> None:
    """The word with its reason, both sides, and both plans of the set that was slowest before."""
    colour, icon = LOOK[proof.verdict]
    st.markdown(f"### :{colour}[:material/{icon}: {proof.verdict.capitalize()}]: {plain(proof.reason)}")
    with st.grid(4, min_column_width=170):
        _pair("P50", duration(proof.before.p50), duration(proof.after.p50))
        _pair("P95", duration(proof.before.p95), duration(proof.after.p95))
        _pair("Pages touched", f"{proof.before.pages:,}", f"{proof.after.pages:,}")
        _pair("Rows", f"{proof.before.rows:,}", f"{proof.after.rows:,}")
    plans = f" So in {proof.changed_plans} of {proof.pairs} sets." if proof.changed_plans else ""
    other = f" In {proof.other_rows} sets the number of rows differs: the data changed meanwhile." if proof.other_rows else ""
    st.markdown(f"{plain(proof.change.sentence)}{plans}{plain(other)}")
    before, after = st.columns(2, gap="small")
    for column, title, item in ((before, "before", proof.example[0]), (after, "after", proof.example[1])):
        with column:
            st.caption(f"Plan {title}, of the set that was slowest before: {duration(item.seconds)}")
            st.code("\n".join(plan_lines(item.plan)), language=None)
    st.caption(RULE)


def _button(query: str, side: Side, label: str, *, disabled: bool) -> None:
    st.button(
        label,
        icon=":material/timer:",
        key=f"measure-{side}-{query}",
        disabled=disabled,
        on_click=_start,
        args=(query, side),
        help="On one connection, at a fifth of its time; it stops when the platform's own P95 rises.",
    )


def _start(query: str, side: Side) -> None:
    act(lambda: services().database_operations.start_proof(query, side, operator=operator()), said=f"{query} is being measured")


def _measured(state: ProofState) -> str:
    now = datetime.now(UTC)
    parts = [
        f"{side}: {len(found.sets):,} of {found.wanted_sets:,} sets at {clock(found.measured_at, now)}"
        + (f", stopped: {plain(found.stopped)}" if found.stopped else "")
        for side, found in (("before", state.before), ("after", state.after))
        if found is not None
    ]
    return " · ".join(parts) or "not measured yet"


def _one_side(found: Replayed) -> None:
    side: Figures = figures(found.sets)
    st.markdown(
        f"P50 {duration(side.p50)} · P95 {duration(side.p95)} · {side.pages:,} pages · {side.rows:,} rows in a median run"
    )


def _pair(label: str, before: str, after: str) -> None:
    st.metric(label, after, f"was {before}", delta_color="off", delta_arrow="off", border=True, height="stretch")
