"""Preparing on the leads page: analyses made ahead for many leads, what that takes, and the run that all operators share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.operations import Operation
from core.platform.panel import Panel, within
from core.platform.preparing import KIND, MOST_LEADS, Preparation, Wanted, prepare_line
from core.ui.lead_list import market_filter, score_filter
from core.ui.operation_panels import MESSAGE, draw_asking, draw_ended, running_of
from core.ui.session import attempt, guard, operator, run, services
from core.ui.text import plain

PLANNED, PLAN_SECONDS = "lead_planned", 30.0
LEADS_ASKED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What preparing would take: the leads, their forms, and the most that it can cost."""

    preparation: Preparation
    most_usd: float


def prepare_panel(markets: Mapping[str, str]) -> None:
    """Which leads, what it takes, the start, and what runs or ran last."""
    st.caption(
        "Open leads, best first: their analyses then open at once. Each canonical form is asked once, in the background, "
        "so nobody waits for it."
    )
    with st.grid(3, min_column_width=150):
        market, least = market_filter(markets), score_filter()
        limit = int(st.number_input("Leads at most", 1, MOST_LEADS, LEADS_ASKED, step=500, key="leads", bind="query-params"))
    wanted = Wanted(market=market, min_score=least, limit=limit)
    running = bool(running_of(KIND))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Dry run", icon=":material/calculate:", key="prepare_plan", on_click=_plan, args=(wanted,))
        st.button(
            "Prepare", icon=":material/play_arrow:", key="prepare_start", type="primary", on_click=_start, args=(wanted,),
            disabled=running, help="It runs already." if running else None,
        )  # fmt: skip
    _planned(wanted)
    st.code(prepare_line(wanted), language="bash", wrap_lines=True)
    st.fragment(_work, run_every="1s" if running else "5s")(running)


def _work(polling: bool) -> None:
    now = datetime.now(UTC)
    operations = draw_asking(KIND, now, polling=polling)
    if not operations:
        _last(run(within(services().preparing.newest())), now)


def _plan(wanted: Wanted) -> None:
    guard("operator")
    st.session_state[PLANNED] = (wanted, run(within(_worked_out(wanted), PLAN_SECONDS), PLAN_SECONDS + 1))


def _start(wanted: Wanted) -> None:
    guard("operator")
    st.session_state.pop(PLANNED, None)
    st.session_state[MESSAGE] = attempt(services().preparing.start(wanted, operator=operator()), PLAN_SECONDS)


async def _worked_out(wanted: Wanted) -> Plan:
    preparation = await services().preparing.plan(wanted)
    analyses, prices = services().lead_analyses, services().claude_parts.prices
    asks = [await analyses.ask_of(form, operator=operator(), lane="background") for form in preparation.forms]
    return Plan(preparation=preparation, most_usd=sum(prices.most_usd(ask.request) for ask in asks))


def _planned(wanted: Wanted) -> None:
    asked: tuple[Wanted, Panel[Plan]] | None = st.session_state.get(PLANNED)
    if asked is None or asked[0] != wanted:
        return
    if asked[1].value is None:
        st.error(f"{plain(asked[1].error)} {plain(asked[1].next_step)}", icon=":material/error:")
        return
    plan = asked[1].value
    if not plan.preparation.leads:
        st.info("No open lead fits: choose another market or a lower score.", icon=":material/person_off:")
        return
    st.info("\n\n".join(plain(line) for line in sentences(plan)), icon=":material/calculate:")
    budget = services().claude_parts.budget.stats()
    left = max(0.0, budget.limit_usd - budget.spent_usd)
    if plan.most_usd > left:
        st.warning(
            f"The budget may end first: {left:.2f} dollars of it are left. What is then not asked is counted as failed, and "
            "the rules answer for it.",
            icon=":material/savings:",
        )


def sentences(plan: Plan) -> tuple[str, ...]:
    """A dry run in words."""
    forms, budget = len(plan.preparation.forms), services().claude_parts.budget.stats()
    largest = max(plan.preparation.forms.values(), default=0)
    kind = "rehearsed dollars" if services().claude.rehearsal else "dollars"
    left = max(0.0, budget.limit_usd - budget.spent_usd)
    return (
        f"{plan.preparation.leads:,} open leads of {forms:,} forms; the most frequent one is shared by {largest:,} leads.",
        f"{forms:,} questions at most, for {plan.most_usd:.2f} {kind} at the very most; {left:.2f} are left of today's budget.",
        "How many answers are kept already shows at the run: those cost nothing.",
    )


def _last(panel: Panel[Operation | None], now: datetime) -> None:
    if panel.error:
        st.warning(f"The last run is not known: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
        return
    operation = panel.value
    if operation is None:
        st.caption("Nothing was prepared yet.")
        return
    with st.container(border=True):
        draw_ended(operation, now, f"**Last:** {plain(operation.title)}")
        if operation.result:
            st.markdown(outcome(operation.result))


def outcome(result: Mapping[str, Any]) -> str:
    """What a preparation came to, in words."""
    failed = result.get("failed", 0)
    why = ", ".join(f"{count:,} {plain(str(kind).replace('_', ' '))}" for kind, count in result.get("errors", {}).items())
    failures = f" **{failed:,} failed** ({why})." if failed else ""
    kind = "rehearsed dollars" if result.get("rehearsal") else "dollars"
    counts = f"{result['leads']:,} leads of {result['forms']:,} forms"
    return (
        f"{counts}: {result['asked']:,} asked for {result['cost_usd']:.4f} {kind}, {result['kept']:,} kept already.{failures}"
    )
