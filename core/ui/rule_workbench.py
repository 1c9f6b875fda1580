"""The rule workbench: other numbers for a rule, and at once what they would have done on stored history."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.monitor.alerts.records import RuleChange
from core.monitor.alerts.replay import Replay
from core.monitor.alerts.replay_words import how_judged, nothing_of, noticed, rests_on, times, would_have
from core.monitor.alerts.rules import CHANGEABLE, Rule, faults
from core.monitor.alerts.view import AlertsView
from core.monitor.alerts.words import lasting
from core.monitor.alerts.workbench import SPANS, Comparison
from core.ui import actions
from core.ui.rule_chart import rule_chart
from core.ui.rule_fields import begin, draw_fields, entered, forget
from core.ui.session import attempt, operator, run, services
from core.ui.text import plain

MESSAGE = "rule_message"
RULE = "rule-chosen"
ANCHOR = "other-numbers"
READ_SECONDS = 60.0  # Two weeks of a busy platform are some hundred megabytes.
COLUMNS: dict[str, Any] = {
    "Numbers": st.column_config.TextColumn(width=90, pinned=True),
    "Fired": st.column_config.TextColumn(width=80),
    "Critical": st.column_config.NumberColumn(format="localized", width=70),
    "In all": st.column_config.TextColumn(width=80),
    "Noticed": st.column_config.TextColumn(
        width=170, help="From the first bad step to the firing, the shortest and the longest"
    ),
    "Woke": st.column_config.NumberColumn(format="localized", width=70, help="Messages that would have woken somebody"),
}


@st.fragment
def rule_workbench(view: AlertsView) -> None:
    """Choose a rule, try numbers, keep them."""
    st.subheader("Other numbers for a rule", anchor=ANCHOR)
    titles = {item.rule.name: item.rule.title for item in view.rules}
    if RULE not in st.session_state:
        asked = st.query_params.get("rule", "")
        st.session_state[RULE] = asked if asked in titles else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Rule", ["", *titles], key=RULE, format_func=lambda key: titles.get(key, "Choose a rule"), on_change=_address
        )
        span = st.segmented_control("History", list(SPANS), default=next(iter(SPANS)), key="rule-span")
    actions.draw_message(MESSAGE)
    if not name:
        st.caption("What a rule would have done by other numbers in the last day or two weeks, before they are kept.")
        return
    shipped, in_use, made = run(services().workbench.rules(name))
    if begin(shipped, in_use):
        st.session_state[_seen_key(name)] = made.at if made else None
    left, right = st.columns([3, 2], gap="medium")
    wrong = faults(shipped, entered(shipped, in_use))
    with left:
        _result(shipped, entered(shipped, in_use), SPANS[span or next(iter(SPANS))], wrong)
    with right:
        draw_fields(shipped, in_use, wrong)
        _keep(shipped, in_use, made)


def _address() -> None:
    """A link opens the same rule."""
    if name := st.session_state[RULE]:
        st.query_params["rule"] = name
    else:
        st.query_params.pop("rule", None)


def _result(shipped: Rule, values: dict[str, Any], span_seconds: int, wrong: dict[str, str]) -> None:
    """What they would have done."""
    if wrong:
        st.warning("Correct the numbers to see what they would have done.", icon=":material/edit:")
        return
    box: list[Comparison] = []

    async def work() -> None:
        box.append(await services().workbench.compare(shipped.name, values, span_seconds))

    with st.spinner("Reading the history", show_time=True):
        error = attempt(work(), READ_SECONDS)
    if error:
        st.warning(f"The history cannot be read: {plain(error)}", icon=":material/cloud_off:")
        return
    found = box[0]
    if found.coverage.first is None:
        st.info("There is no history yet. The first slots are kept ten seconds after a start.", icon=":material/history:")
    elif not any(value is not None for value in found.curve.values):
        st.info(nothing_of(shipped), icon=":material/history:")
    else:
        _replays(shipped, found)
    if found.error:
        age = lasting(found.age_seconds)
        st.warning(f"As of {age} ago; the console's store does not answer. {plain(found.error)}", icon=":material/cloud_off:")


def _replays(shipped: Rule, found: Comparison) -> None:
    same = found.edited.rule == found.in_use.rule
    which = "The numbers in use" if same else "These numbers"
    others = "" if same else f"In use: {times(len(found.in_use.spans))}."
    st.markdown(f"**{which} {plain(would_have(found.edited))}.** {plain(others)}")
    rule_chart(found, key="rule-chart")
    rows = {"These": found.edited, "In use": found.in_use, "Shipped": found.shipped}
    st.dataframe(
        [_row(word, replay) for word, replay in rows.items() if word != "These" or not same],
        key="rule-replays", hide_index=True, column_config=COLUMNS, height="content",
        alt="Table of how often the rule would have fired by these numbers, those in use and the shipped ones.",
    )  # fmt: skip
    st.caption(f"{rests_on(found.coverage, found.judged_seconds)} {how_judged(shipped, found.coverage)}")


def _row(word: str, found: Replay) -> dict[str, object]:
    return {
        "Numbers": word,
        "Fired": times(len(found.spans)),
        "Critical": found.critical,
        "In all": lasting(found.fired_seconds) if found.spans else "—",
        "Noticed": noticed(found),
        "Woke": found.woken,
    }


def _keep(shipped: Rule, in_use: Rule, made: RuleChange | None) -> None:
    """Save with a reason, or go back; what was changed last, by whom and why."""
    if made is not None:
        what = "changed" if made.values else "set back to what was shipped"
        st.caption(f"Last {what} by {plain(made.who)}: {plain(made.why)}")
    st.text_input("Why", key=_why_key(shipped.name), max_chars=300, placeholder="Stands in the record of operations")
    unchanged = entered(shipped, in_use) == _values(shipped, in_use)
    with st.container(horizontal=True):
        st.button("Save", key="rule-save", type="primary", icon=":material/save:", disabled=unchanged, on_click=_save,
                  args=(shipped, in_use, False))  # fmt: skip
        st.button("Back to shipped", key="rule-back", icon=":material/undo:", disabled=in_use == shipped, on_click=_save,
                  args=(shipped, in_use, True))  # fmt: skip
        st.button("Discard", key="rule-discard", disabled=unchanged, on_click=forget, args=(shipped.name,))


def _values(shipped: Rule, in_use: Rule) -> dict[str, Any]:
    """In what the rule in use is not the shipped one."""
    return {name: getattr(in_use, name) for name in CHANGEABLE if getattr(in_use, name) != getattr(shipped, name)}


def _save(shipped: Rule, in_use: Rule, back: bool) -> None:
    state, seen = st.session_state, _seen_key(shipped.name)
    values = {} if back else entered(shipped, in_use)
    why, seen_at = str(state.get(_why_key(shipped.name), "")), state.get(seen)

    async def work() -> None:
        await services().alert_operations.change_rule(shipped.name, values, why=why, operator=operator(), seen_at=seen_at)

    done = f"{shipped.title} is judged by {'the shipped numbers' if back else 'these numbers'} from now on."
    if actions.act(MESSAGE, work, done):
        forget(shipped.name)
    made = run(services().workbench.rules(shipped.name))[2]
    state[seen] = made.at if made else None


def _why_key(rule: str) -> str:
    return f"workbench-{rule}-why"


def _seen_key(rule: str) -> str:
    return f"workbench-{rule}-seen"
