"""The proof on the database page: a query measured before and after a change, and what comes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.database.plan_tree import plan_lines
from core.database.proof import RULE, Proof, ProofVerdict
from core.database.proof_summary import MeasuredSide, ProofSummary, measured_side
from core.platform.database_operations import ProofState, RecordedProof, Side
from core.platform.database_view import QueryView
from core.platform.units import duration
from core.ui.database_actions import act, what_it_runs
from core.ui.proof_chart import proof_chart
from core.ui.session import operator, run, services
from core.ui.text import plain
from core.ui.verdict import clock

NO_PROOF = "No proof yet: measured before and after a change, both sides stand here in one chart."
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
    recorded = None if state.before else _recorded(view.name)
    if not view.sampling.sets and state.before is None and recorded is None:
        return
    st.markdown("**Does a change help?**")
    st.caption(
        "Measure it, build or drop an index, then measure it again with the same parameters: the verdict compares set by set."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        _button(view.name, "before", "Measure before", disabled=not view.sampling.sets)
        _button(view.name, "after", "Measure after", disabled=state.before is None)
        st.caption(_measured(state))
    _found(view.name, state, recorded)
    if example := state.before.sets[0].asked if state.before else next(iter(view.sampling.sets), None):
        what_it_runs(operations.proof_commands(view.name, example))


def _recorded(query: str) -> RecordedProof | None:
    """The newest proof that is on record, which outlives the process that measured it."""
    found = run(services().database_operations.recorded_proofs()).value or ()
    return next((item for item in found if item.summary.query == query), None)


def _found(query: str, state: ProofState, recorded: RecordedProof | None) -> None:
    """The proof, the side that is there, the proof on record, or what is missing."""
    if (proof := state.proof) is not None:
        draw_proof(ProofSummary.of(proof))
        _plans(proof)
    elif state.before is not None:
        _one_side(query, measured_side(state.before.sets))
    elif recorded is not None:
        at = clock(recorded.measured_at, datetime.now(UTC))
        st.caption(f"On record, measured by {plain(recorded.operator)} at {at}; its parameters were not kept.")
        draw_proof(recorded.summary)
        _shapes(recorded.summary)
    else:
        st.info(NO_PROOF, icon=":material/hourglass_empty:")


def draw_proof(proof: ProofSummary) -> None:
    """The word with its reason, the chart of both sides, their figures, and how the plan changed."""
    colour, icon = LOOK[proof.verdict]
    st.markdown(f"### :{colour}[:material/{icon}: {proof.verdict.capitalize()}]: {plain(proof.reason)}")
    proof_chart(proof.before, proof.after, key=f"proof-{proof.query}")
    before, after = proof.before.figures, proof.after.figures
    with st.grid(4, min_column_width=170):
        _pair("P50", duration(before.p50), duration(after.p50))
        _pair("P95", duration(before.p95), duration(after.p95))
        _pair("Pages touched", f"{before.pages:,}", f"{after.pages:,}")
        _pair("Rows", f"{before.rows:,}", f"{after.rows:,}")
    plans = f" So in {proof.changed_plans} of {proof.pairs} sets." if proof.changed_plans else ""
    other = f" In {proof.other_rows} sets the number of rows differs: the data changed meanwhile." if proof.other_rows else ""
    st.markdown(f"{plain(proof.change)}{plans}{plain(other)}")
    st.caption(RULE)


def _plans(proof: Proof) -> None:
    """Both plans of the set that was slowest before, with what each step cost."""
    for column, title, item in zip(st.columns(2, gap="small"), ("before", "after"), proof.example, strict=True):
        with column:
            st.caption(f"Plan {title}, of the set that was slowest before: {duration(item.seconds)}")
            st.code("\n".join(plan_lines(item.plan)), language=None)


def _shapes(proof: ProofSummary) -> None:
    """Both plans as far as they are on record: their steps."""
    shapes = (proof.plan_before, proof.plan_after)
    for column, title, shape in zip(st.columns(2, gap="small"), ("before", "after"), shapes, strict=True):
        with column:
            st.caption(f"Steps of the plan {title}, of the set that was slowest before")
            st.code("\n".join(shape), language=None)


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


def _one_side(query: str, found: MeasuredSide) -> None:
    side = found.figures
    proof_chart(found, None, key=f"proof-{query}")
    st.markdown(
        f"P50 {duration(side.p50)} · P95 {duration(side.p95)} · {side.pages:,} pages · {side.rows:,} rows in a median run"
    )


def _pair(label: str, before: str, after: str) -> None:
    st.metric(label, after, f"was {before}", delta_color="off", delta_arrow="off", border=True, height="stretch")
