"""A set of leads on the prompts page: which leads, what it can cost, the run that all operators share, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from core.operations import Operation
from core.platform.panel import Panel, within
from core.platform.prompt_inputs import SET_MOST, InputSet
from core.platform.prompt_lines import ask_line
from core.platform.prompt_sets import KIND, SetRequest
from core.platform.prompt_trials import Candidate
from core.ui.operation_panels import MESSAGE, draw_asking, draw_ended, running_of
from core.ui.prompt_report import draw_report
from core.ui.session import attempt, guard, operator, run, services
from core.ui.text import plain

PLANNED, PLAN_SECONDS = "prompt_set_planned", 30.0
LEADS = 20
IDS_MOST_CHARACTERS = 20_000
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a set would take: its inputs, and the most that it can cost."""

    chosen: InputSet
    most_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The leads of a set: the best of a market, or a list of ids."""

    market: str | None
    count: int
    ids: tuple[str, ...]

    @property
    def words(self) -> str:
        """The leads in words."""
        return f"{len(self.ids)} leads by id" if self.ids else f"the best leads of {self.market or 'all markets'}"


def draw_set(name: str, candidates: Sequence[Candidate], markets: Mapping[str, str]) -> None:
    """The choice, its estimate, the start, and the run with its report."""
    wanted = _choose(markets)
    key: Key = (name, wanted, tuple(candidate.label for candidate in candidates))
    running, texts = running_of(KIND), tuple(candidates)
    busy = "A set runs already: one at a time." if running else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Estimate", icon=":material/calculate:", key="set_plan", on_click=_plan, args=(key, wanted, texts))
        plan = _planned(key)
        st.button(
            "Run the set", icon=":material/play_arrow:", key="set_start", type="primary", help=busy or None,
            disabled=bool(busy) or plan is None or not plan.chosen.inputs, on_click=_start, args=(key, wanted, texts),
        )  # fmt: skip
    if plan is not None:
        _estimate(plan, len(candidates))
        if plan.chosen.inputs:
            st.code("\n".join(ask_line(one, plan.chosen.inputs[0]) for one in candidates), language="bash", wrap_lines=True)
            st.caption("These lines ask one lead of the set; the button asks all of them.")
    st.fragment(_work, run_every="1s" if running else "5s")(name, bool(running))


def _choose(markets: Mapping[str, str]) -> Wanted:
    with st.grid(2, min_column_width=180):
        market = st.selectbox(
            "Market", ["", *markets], key="market", bind="query-params", format_func=lambda slug: markets.get(slug) or "All"
        )
        count = st.number_input(
            "Leads of different canonical forms", 1, SET_MOST, LEADS, key="set", bind="query-params",
            help="Leads of one form ask the same, so one of each is asked.",
        )  # fmt: skip
    with st.expander("Or a list of ids", icon=":material/list:"):
        ids = st.text_area("Ids, by spaces, commas or lines", key="set_ids", max_chars=IDS_MOST_CHARACTERS, height=90)
    found = tuple(dict.fromkeys((ids or "").replace(",", " ").split()))[: 2 * SET_MOST]
    return Wanted(market=market or None, count=int(count), ids=found)


async def _inputs(wanted: Wanted) -> InputSet:
    inputs = services().prompt_lab.inputs
    return await inputs.leads(wanted.ids) if wanted.ids else await inputs.best(wanted.market, wanted.count)


def _plan(key: Key, wanted: Wanted, candidates: tuple[Candidate, ...]) -> None:
    guard("operator")

    async def worked_out() -> Plan:
        chosen = await _inputs(wanted)
        return Plan(chosen=chosen, most_usd=services().prompt_lab.trials.most_usd(candidates, chosen.inputs))

    st.session_state[PLANNED] = (key, run(within(worked_out(), PLAN_SECONDS), PLAN_SECONDS + 1))


def _planned(key: Key) -> Plan | None:
    asked: tuple[Key, Panel[Plan]] | None = st.session_state.get(PLANNED)
    if asked is None or asked[0] != key:
        st.caption("Estimate first: it asks nobody, and says what the run can cost at most.", width="content")
        return None
    if asked[1].value is None:
        st.error(f"{plain(asked[1].error)} {plain(asked[1].next_step)}", icon=":material/error:")
    return asked[1].value


def _start(key: Key, wanted: Wanted, candidates: tuple[Candidate, ...]) -> None:
    guard("operator")
    planned: tuple[Key, Panel[Plan]] | None = st.session_state.pop(PLANNED, None)
    if planned is None or planned[0] != key or planned[1].value is None:
        return
    chosen = planned[1].value.chosen  # What was estimated is what is run.
    request = SetRequest(candidates=candidates, inputs=chosen.inputs, of=f"{len(chosen.inputs)} of {wanted.words}")
    st.session_state[MESSAGE] = attempt(services().prompt_lab.sets.start(request, operator=operator()), PLAN_SECONDS)


def _estimate(plan: Plan, texts: int) -> None:
    chosen, budget = plan.chosen, services().claude_parts.budget.stats()
    if chosen.missing:
        shown = ", ".join(chosen.missing[:5]) + (" and more" if len(chosen.missing) > 5 else "")
        st.warning(f"{len(chosen.missing)} ids are of no lead: {plain(shown)}", icon=":material/search_off:")
    if not chosen.inputs:
        st.info("No lead fits: choose another market, or other ids.", icon=":material/person_off:")
        return
    kind = "rehearsed dollars" if services().claude.rehearsal else "dollars"
    left = max(0.0, budget.limit_usd - budget.spent_usd)
    st.info(
        f"{len(chosen.inputs)} canonical forms, which {chosen.leads:,} of the leads looked at have; "
        f"{len(chosen.inputs) * texts} questions for {plan.most_usd:.4f} {kind} at the very most; {left:.2f} are left of "
        "today's budget.",
        icon=":material/calculate:",
    )
    if plan.most_usd > left:
        st.warning("The budget may end first; what is then not asked is counted as failed.", icon=":material/savings:")


def _work(name: str, polling: bool) -> None:
    now = datetime.now(UTC)
    draw_asking(KIND, now, polling=polling)
    panel = run(within(services().prompt_lab.sets.newest(name)))
    if panel.error:
        st.warning(f"The last set is not known: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
    elif panel.value is None:
        st.caption("No set of this prompt was run yet.")
    else:
        _last(panel.value, now)


def _last(operation: Operation, now: datetime) -> None:
    if not operation.running:
        draw_ended(operation, now, f"**{plain(operation.title)}**")
    panel = run(within(services().prompt_lab.sets.report(str(operation.parameters.get("group")))))
    if panel.value is None:
        st.warning(f"Its runs cannot be read: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
    elif panel.value[1]:
        draw_report(*panel.value)
