"""What an operator does about alerts: acknowledge, silence, test; and the word on what came of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import streamlit as st

from core.monitor.alerts.incident import Incident
from core.monitor.alerts.silence import EVERYTHING
from core.monitor.alerts.view import AlertsView
from core.ui import actions
from core.ui.session import attempt, guard, operator, services
from core.ui.text import plain
from core.ui.verdict import clock

MESSAGE = "alert_message"
HOURS: dict[str, float] = {"1 hour": 1, "4 hours": 4, "12 hours": 12, "1 day": 24, "7 days": 168}


def draw_message() -> None:
    """What the last action came to."""
    actions.draw_message(MESSAGE)


def acknowledge(incident: Incident) -> None:
    """Say that somebody looks after an incident."""
    with st.popover("Acknowledge", icon=":material/visibility:"):
        st.markdown("It is not repeated for a time. If it becomes worse, that is told at once.")
        hours, why = _time_and_reason(f"ack-{incident.key}")

        def work() -> Coroutine[Any, Any, None]:
            return services().alert_operations.acknowledge(
                incident.key, why=_state(why), seconds=HOURS[_state(hours)] * 3_600, operator=operator()
            )

        _button("Acknowledge", f"ack-{incident.key}", lambda: _act(work, "Acknowledged."))


def silence(view: AlertsView) -> None:
    """Have one rule, or all, tell nobody for a time."""
    titles = {EVERYTHING: "Everything"} | {item.rule.name: item.rule.title for item in view.rules}
    with st.popover("Silence", icon=":material/notifications_off:"):
        st.markdown("It is judged and shown as ever, and nobody is told.")
        st.selectbox("Rule", list(titles), format_func=lambda name: titles[name], key="silence-rule")
        hours, why = _time_and_reason("silence")

        def work() -> Coroutine[Any, Any, None]:
            return services().alert_operations.silence(
                _state("silence-rule"), why=_state(why), seconds=HOURS[_state(hours)] * 3_600, operator=operator()
            )

        _button("Silence", "silence", lambda: _act(work, "Silenced."))


def silences(view: AlertsView) -> None:
    """Those that hold, each with its end."""
    for item in view.silences:
        until = clock(view.moment(item.until - view.shift_seconds), view.moment(view.now))
        what = "Everything" if item.rule == EVERYTHING else item.rule
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/notifications_off: {plain(what)} until {until}, {plain(item.who)}: {plain(item.why)}")

            def work(key: str = item.key) -> Coroutine[Any, Any, None]:
                return services().alert_operations.end_silence(key, operator=operator())

            st.button("End it", key=f"end-{item.key}", on_click=_act, args=(work, "It tells again."))


def test_button(configured: bool) -> None:
    """Send a test to whom a critical alert would go."""
    advice = None if configured else "Set ALERT_URLS in .env first."
    st.button("Send a test", key="alert-test", icon=":material/send:", disabled=not configured, help=advice, on_click=_test)


def _test() -> None:
    errors: list[str] = []

    async def work() -> None:
        errors.append((await services().alert_operations.test(operator=operator())).error)

    guard("operator")
    failed = attempt(work()) or errors[0]
    st.session_state[MESSAGE] = f"Not sent: {failed}." if failed else actions.Done("The test was sent.")


def _act(work: Callable[[], Coroutine[Any, Any, None]], done: str) -> None:
    actions.act(MESSAGE, work, done)


def _time_and_reason(key: str) -> Sequence[str]:
    """The names of the two fields."""
    hours, why = f"{key}-hours", f"{key}-why"
    st.selectbox("For", list(HOURS), index=1, key=hours)
    st.text_input("Why", key=why, max_chars=300)
    return hours, why


def _button(label: str, key: str, on_click: Callable[[], None]) -> None:
    st.button(label, key=f"{key}-now", type="primary", on_click=on_click)


def _state(name: str) -> str:
    return str(st.session_state[name])
