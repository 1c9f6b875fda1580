"""The remedies: what each does, whether by itself, what came of its last run, and dry run, run, undo and switch."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Literal

import streamlit as st

from core.monitor.remediation.effect import Effect
from core.monitor.remediation.run import RemedyRun
from core.platform.remedy_actions import Plan
from core.platform.remedy_view import RemediesView, RemedyStatus
from core.ui import actions
from core.ui.alert_actions import MESSAGE
from core.ui.session import operator, services
from core.ui.text import plain
from core.ui.verdict import clock, span

COLOURS: dict[Effect, Literal["green", "gray", "red", "orange"]] = {
    "helped": "green", "no effect": "gray", "worse": "red", "cannot tell": "orange",
}  # fmt: skip
EVERYONE = "end_idle_transactions"  # The one that can be asked to do more by hand.


def remedy_panel(view: RemediesView) -> None:
    """Every remedy as a card; narrow screens show them one below the other as wide ones do."""
    st.subheader("Remedies", anchor=False)
    if not view.runs_here:
        st.info("This process judges no alerts, so it runs no remedy.", icon=":material/healing:")
        return
    if view.store_error:
        away = "The console's store does not answer: remedies run, and what is switched waits in memory."
        st.warning(f"{away} {plain(view.store_error)}", icon=":material/cloud_off:")
    for status in view.remedies:
        with st.container(border=True, gap="small"):
            _head(status)
            _last(status, view)
            _next(status, view)
            _buttons(status)
            _planned(status.remedy.name)


def _head(status: RemedyStatus) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(status.remedy.title)}**", width="content")
        if status.automatic:
            st.badge("runs by itself", icon=":material/autoplay:", color="blue", width="content")
        else:
            st.badge("only by hand", icon=":material/back_hand:", color="gray", width="content")
        if (run := status.going_on) is not None:
            st.badge(run.phase, color="orange", width="content")
    st.markdown(plain(status.remedy.does))
    st.caption(f"Why {'by itself' if status.automatic else 'only by hand'}: {plain(status.why)}")


def _last(status: RemedyStatus, view: RemediesView) -> None:
    """The newest run with its judgement and the figure on both sides."""
    if not status.runs:
        st.caption("It has not run yet.")
        return
    run, now = status.runs[0], view.moment(view.now)
    lasted = span(timedelta(seconds=(run.ended_at or view.now) - run.began_at))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{clock(view.moment(run.began_at), now)}, {lasted}, {plain(run.who)}: {plain(run.why)}", width="content")
        if run.effect is not None:
            st.badge(run.effect, color=COLOURS[run.effect], width="content")
        if run.phase == "failed":
            st.badge("failed", color="red", width="content")
    parts = (run.did, _figures(run), f"Undone: {run.undone}." if run.undone else "")
    st.markdown(" ".join(plain(part) for part in parts if part) or "It has just begun.")


def _figures(run: RemedyRun) -> str:
    if run.reason:
        return f"{run.reason.rstrip('.')}."
    return f"{run.before.title} was {run.before.text} before." if run.before is not None else ""


def _next(status: RemedyStatus, view: RemediesView) -> None:
    now = view.moment(view.now)
    by_itself = (
        "at once when it is called for" if status.next_at <= view.now else f"from {clock(view.moment(status.next_at), now)}"
    )
    by_hand = "now" if status.by_hand_at <= view.now else f"from {clock(view.moment(status.by_hand_at), now)}"
    parts = [
        f"by itself {by_itself}" if status.automatic else "",
        f"by hand {by_hand}",
        f"not now: {status.held}" if status.held else "",
    ]
    most = f"{status.remedy.most_per_hour} times an hour at most"
    st.caption("Next: " + " · ".join(plain(part) for part in (*parts, most) if part))


def _buttons(status: RemedyStatus) -> None:
    name = status.remedy.name
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Dry run", key=f"remedy-dry-{name}", icon=":material/preview:", on_click=_dry_run, args=(name,))
        if status.going_on is None:
            _run(status)
        elif status.remedy.undo_when:
            st.button(
                "Undo it now", key=f"remedy-undo-{name}", icon=":material/undo:", on_click=_act, args=(_undo(name), "Undone.")
            )
        _switch(status)


def _run(status: RemedyStatus) -> None:
    name, why = status.remedy.name, f"remedy-why-{status.remedy.name}"
    with st.popover("Run", icon=":material/healing:", key=f"remedy-ask-{name}"):
        st.markdown(f"{plain(status.remedy.does)} A dry run says exactly what that is now.")
        if name == EVERYONE:
            st.checkbox("Also those that keep nobody waiting", key=f"remedy-everyone-{name}")
        st.text_input("Why", key=why, max_chars=300)
        st.button("Run it now", key=f"remedy-run-{name}", type="primary", on_click=_press, args=(name, why))


def _switch(status: RemedyStatus) -> None:
    name, why = status.remedy.name, f"remedy-switch-why-{status.remedy.name}"
    label = "Only by hand" if status.automatic else "Let it run by itself"
    with st.popover(label, icon=":material/tune:", key=f"remedy-switch-ask-{name}"):
        st.markdown(f"As shipped: {plain(status.remedy.why)}")
        st.text_input("Why", key=why, max_chars=300)

        def work() -> Coroutine[Any, Any, None]:
            reason = str(st.session_state[why])
            return services().remedies.switch(name, automatic=not status.automatic, operator=operator(), why=reason)

        st.button(label, key=f"remedy-switch-{name}", type="primary", on_click=_act, args=(work, "Switched."))


def _planned(name: str) -> None:
    """What the last dry run of this session said."""
    plan = st.session_state.get(_plan_key(name))
    if not isinstance(plan, Plan):
        return
    if plan.refusal:
        st.info(f"It would do nothing. {plain(plan.refusal)} {plain(plan.next_step)}", icon=":material/preview:")
        return
    sentences = " ".join(plain(sentence) for sentence in plan.does)
    because = f" {plain(plan.why)}" if plan.why and plan.why not in plan.does else ""
    st.info(f"It would do this. {sentences}{because}", icon=":material/preview:")
    if plan.commands:
        st.code("\n".join(plan.commands), wrap_lines=True)


def _dry_run(name: str) -> None:
    everyone = bool(st.session_state.get(f"remedy-everyone-{name}"))

    def work() -> Coroutine[Any, Any, object]:
        return services().remedies.press(name, operator=operator(), dry_run=True, everyone=everyone)

    if not actions.act(MESSAGE, work, "", keep=_plan_key(name)):
        st.session_state.pop(_plan_key(name), None)


def _press(name: str, why: str) -> None:
    everyone = bool(st.session_state.get(f"remedy-everyone-{name}"))

    def work() -> Coroutine[Any, Any, object]:
        reason = str(st.session_state[why])
        return services().remedies.press(name, operator=operator(), why=reason, everyone=everyone)

    _act(work, "It runs; what comes of it stands here.")


def _undo(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
    return lambda: services().remedies.undo(name, operator=operator())


def _act(work: Callable[[], Coroutine[Any, Any, object]], done: str) -> None:
    actions.act(MESSAGE, work, done)


def _plan_key(name: str) -> str:
    return f"remedy-plan-{name}"
