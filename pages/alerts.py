"""What is broken and why, what was, and who is told?"""

from dataclasses import replace

import streamlit as st

from core import ui
from core.platform.alert_verdict import judge_alerts
from core.ui import alert_actions as actions
from core.ui.alert_incidents import open_incidents, resolved_incidents
from core.ui.alert_rules import notifications, rule_table
from core.ui.text import plain
from core.ui.verdict import draw_verdict

ui.guard("viewer")
alerts = ui.services().alerts
chosen = st.query_params.get("incident", "")


@st.fragment(run_every="5s")
def live() -> None:
    """What goes on, as often as it is judged."""
    view = alerts.view()
    verdict = judge_alerts(view)
    shown = replace(verdict, reason=plain(verdict.reason), next_step=plain(verdict.next_step))
    draw_verdict(shown, view.moment(view.now))
    actions.draw_message()
    open_incidents(view, chosen)
    rule_table(view)
    st.subheader("Who is told", anchor=False)
    notifications(view.stats)
    with st.container(horizontal=True, vertical_alignment="center"):
        actions.test_button(bool(view.stats.notifier.urls))
        actions.silence(view)
    actions.silences(view)
    resolved_incidents(view, chosen)


live()
