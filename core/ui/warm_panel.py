"""Warming on the cache page: plans and how their hours stand, a dry run in sentences, and the runs that operators share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from core.cache.warming.estimate import WarmEstimate
from core.cache.warming.plans import WarmPlan
from core.cache.warming.schedule import Scheduled
from core.operations import Operation
from core.platform.cache_overview import PlanRow, PlansView
from core.platform.panel import Panel, within
from core.platform.units import duration
from core.platform.warm_records import KIND, WarmRunRecord
from core.ui.operation_panels import MESSAGE, STATES, draw_message, running_operation, toast_ended
from core.ui.session import attempt, guard, operator, run, services
from core.ui.text import plain
from core.ui.verdict import clock, span

ESTIMATE = "warm_estimate"
DRY_RUN_SECONDS = 60.0
COLUMNS: dict[str, Any] = {
    "Plan": st.column_config.TextColumn(width=185, pinned=True),
    "Last run": st.column_config.TextColumn(width=140),
    "Loaded": st.column_config.NumberColumn(format="localized", width=70),
    "Reads served": st.column_config.NumberColumn(
        format="localized", width=100, help="Since that run, in all processes, by values that it stored"
    ),
    "Time saved": st.column_config.TextColumn(width=90, help="The loaders' time that those reads did not take"),
    "Wanted at": st.column_config.TextColumn(width=155),
    "Next start": st.column_config.TextColumn(width=85),
    "How it stands": st.column_config.TextColumn(width=300),
}


def warm_plans() -> None:
    """Draw the plans; it polls faster while a run is under way."""
    running = bool(_running())
    st.fragment(_panel, run_every="1s" if running else "5s")(running)


def _panel(polling: bool) -> None:
    operations = _running()
    if bool(operations) != polling:
        st.rerun()
    view, now = run(services().cache_overview.plans()), datetime.now(UTC)
    draw_message()
    for operation in operations:
        running_operation(operation, now)
    toast_ended(operations)
    if view.runs.error:
        age = f" What is shown is {view.runs.age_seconds:.0f} s old." if view.runs.value is not None else ""
        st.warning(
            f"The runs are not known: {plain(view.runs.error)} {plain(view.runs.next_step)}{age}", icon=":material/cloud_off:"
        )
    _missed(view)
    _table(view.rows, now)
    if row := next((row for row in view.rows if row.plan.name == st.query_params.get("plan")), None):
        _plan(row, now, running=any(item.key == f"warm:{row.plan.name}" for item in operations))


def _running() -> tuple[Operation, ...]:
    """Runs under way in any process."""
    running = run(services().activity.running()).value
    return tuple(item for item in running.operations if item.kind == KIND) if running else ()


def _missed(view: PlansView) -> None:
    for row in view.rows:
        if row.scheduled is not None and row.scheduled.to_be_shown:
            st.warning(
                f"**{plain(row.plan.title)}**: {plain(_stands(row.scheduled, datetime.now(UTC)))}", icon=":material/alarm:"
            )


def _table(rows: Sequence[PlanRow], now: datetime) -> None:
    names = [row.plan.name for row in rows]
    asked = st.query_params.get("plan")
    st.dataframe(
        [_row(row, now) for row in rows],
        key="plans",
        hide_index=True,
        column_config=COLUMNS,
        placeholder="",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(asked)] if asked in names else []}},
        on_select=lambda: _select(names),
        alt="Table of the warm plans with their last run, its gain, and when the next one starts.",
    )
    st.caption("A run fills Redis; the memory of a process takes what is read there. Choose a plan for a dry run or a run.")


def _row(row: PlanRow, now: datetime) -> dict[str, Any]:
    last, scheduled = row.last, row.scheduled
    report, gain = (last.report, last.gain) if last else (None, None)
    return {
        "Plan": row.plan.title,
        "Last run": f"{last.operation.state}, {_ago(last.operation, now)}" if last else "never",
        "Loaded": report.loaded if report else None,
        "Reads served": int(gain.reads) if gain else None,
        "Time saved": duration(gain.saved_seconds) if gain and gain.saved_seconds else "" if not gain else "0 s",
        "Wanted at": str(scheduled.ready_by) if scheduled else "",
        "Next start": clock(scheduled.next_starts_at, now) if scheduled else "",
        "How it stands": _stands(scheduled, now) if scheduled else "",
    }


def _ago(operation: Operation, now: datetime) -> str:
    return "now" if operation.running else f"{span(now - (operation.finished_at or operation.updated_at))} ago"


def _stands(item: Scheduled, now: datetime) -> str:
    words = {
        "waiting": f"begins at {clock(item.next_starts_at, now)}",
        "due": "starts within seconds",
        "running": "runs now",
        "ready": f"warm since before {clock(item.ready_at, now)}"
        if not item.late_seconds
        else f"warm {duration(item.late_seconds)} late",
        "failed": f"failed; tried again at {clock(item.try_at, now)}" if item.try_at else "failed",
        "cancelled": "cancelled",
    }[item.state]
    missed = f"missed {clock(item.ready_at, now)}: " if item.missed else ""
    return f"{missed}{words}" + (f". {item.reason}" if item.reason else "")


def _select(names: Sequence[str]) -> None:
    rows = st.session_state["plans"].selection.rows
    if rows:
        st.query_params["plan"] = names[rows[0]]
    else:
        st.query_params.pop("plan", None)


def _plan(row: PlanRow, now: datetime, *, running: bool) -> None:
    """One plan: what it is, its dry run, its run, and what the last one came to."""
    plan, refusal = row.plan, services().cache_operations.refusal()
    with st.container(border=True):
        st.markdown(f"**{plain(plan.title)}** · `{plan.name}` · {plan.origin}")
        st.caption(plain(plan.note))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Dry run", icon=":material/calculate:", key="warm_dry_run", on_click=_dry_run, args=(plan.name,))
            st.button(
                "Run", icon=":material/local_fire_department:", key="warm_run", type="primary", on_click=_start,
                args=(plan.name,), disabled=bool(refusal) or running, help=refusal or ("It runs already." if running else None),
            )  # fmt: skip
        _estimated(plan, now)
        if row.last is not None:
            _outcome(row.last, now)
        st.code("\n".join(services().warming.commands(plan)), language="bash", wrap_lines=True)


def _dry_run(name: str) -> None:
    guard("operator")
    asked = within(services().warming.dry_run(name), DRY_RUN_SECONDS)
    st.session_state[ESTIMATE] = (name, run(asked, DRY_RUN_SECONDS + 1))


def _start(name: str) -> None:
    guard("operator")
    st.session_state.pop(ESTIMATE, None)
    st.session_state[MESSAGE] = attempt(services().warming.start(name, operator=operator()))


def _estimated(plan: WarmPlan, now: datetime) -> None:
    asked: tuple[str, Panel[WarmEstimate]] | None = st.session_state.get(ESTIMATE)
    if asked is None or asked[0] != plan.name:
        return
    if asked[1].value is None:
        st.error(f"{plain(asked[1].error)} {plain(asked[1].next_step)}", icon=":material/error:")
        return
    st.info("\n\n".join(plain(line) for line in sentences(asked[1].value, now)), icon=":material/calculate:")


def sentences(estimate: WarmEstimate, now: datetime) -> tuple[str, ...]:
    """A dry run in words."""
    by_family = "; ".join(
        f"{item.family} {item.to_load:,} of {item.keys:,}, each fresh for {duration(item.least_life_seconds)}"
        for item in estimate.families
    )
    lines = (
        f"{estimate.keys:,} keys, {estimate.already_warm:,} of them warm already, {estimate.to_load:,} to load.",
        _cost(estimate),
        f"To load by family: {by_family}." if by_family else "",
        _expiry(estimate, now),
        f"{estimate.refused:,} entries of the plan are no keys: {estimate.reasons[0]}" if estimate.refused else "",
        f"{estimate.beyond_limit:,} more keys are beyond the plan's limit." if estimate.beyond_limit else "",
    )
    return tuple(line for line in lines if line)


def _cost(estimate: WarmEstimate) -> str:
    if not estimate.to_load:
        return "There is nothing to load."
    if estimate.seconds is None or estimate.load_seconds_each is None or estimate.loads_per_second is None:
        return "How long it takes is not known: no load was measured."
    basis = f"from a sample of {estimate.sampled} loads" if estimate.basis == "sample" else "as in the last run"
    return (
        f"It takes about {duration(estimate.seconds)} ({basis}); the database sees {estimate.loads_per_second:,.0f} loads/s of "
        f"{duration(estimate.load_seconds_each)}, {duration(estimate.load_seconds)} in all."
    )


def _expiry(estimate: WarmEstimate, now: datetime) -> str:
    if estimate.first_expires_at is None or estimate.last_expires_at is None:
        return ""
    line = f"Run now, they expire from {clock(estimate.first_expires_at, now)} to {clock(estimate.last_expires_at, now)}"
    spare = estimate.spare_seconds
    if spare is None or estimate.wanted_at is None:
        return f"{line}."
    if spare < 0:
        return f"{line}; wanted at {clock(estimate.wanted_at, now)}, when the first are gone: run it later."
    return f"{line}; wanted at {clock(estimate.wanted_at, now)}, {span(timedelta(seconds=spare))} before that."


def _outcome(record: WarmRunRecord, now: datetime) -> None:
    """What the last run came to, and what it bought."""
    operation, report, gain = record.operation, record.report, record.gain
    colour, icon = STATES[operation.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Last run** by {plain(operation.operator)}", width="content")
        st.badge(f"{operation.state} {_ago(operation, now)}", color=colour, icon=f":material/{icon}:", width="content")
        st.page_link(
            "pages/activity.py", label="All about it", icon=":material/history:", query_params={"id": str(operation.id)}
        )
    if operation.error:
        st.error(f"{plain(operation.error)}\n\n**Next:** {plain(operation.next_step)}", icon=":material/error:")
    if report is not None:
        words = (("loaded", report.loaded), ("warm already", report.already_warm), ("failed", report.failed))
        counts = ", ".join(f"{count:,} {word}" for word, count in words)
        paused = f", held for {duration(report.paused_seconds)}" if report.paused_seconds else ""
        st.markdown(f"{report.keys:,} keys: {counts}, in {duration(report.seconds)}{paused}.")
        for reason in report.reasons:
            st.caption(plain(reason))
    if gain is not None:
        saved = duration(gain.saved_seconds) if gain.saved_seconds else "0 s"
        st.markdown(f"Since then its values served **{gain.reads:,.0f} reads** and saved **{saved}** of the loaders' time.")
    elif not operation.running:
        st.caption("What it bought cannot be told: Redis does not answer.")
