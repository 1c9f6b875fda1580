"""What is broken and why, what was, and who is told?"""

import streamlit as st

from core import ui
from core.ui import alert_actions as actions
from core.ui.alert_incidents import open_incidents, resolved_incidents
from core.ui.alert_rules import notifications, rule_table
from core.ui.first_line import draw_first_line
from core.ui.remedy_panel import remedy_panel
from core.ui.rule_workbench import ANCHOR, rule_workbench

ui.guard("viewer")
alerts = ui.services().alerts
chosen = st.query_params.get("incident", "")


@st.fragment(run_every="10s")
def live() -> None:
    """What goes on; its hundred elements cost 13 ms of the server a run, for each viewer."""
    view = alerts.view()
    draw_first_line(ui.services().promises.view().verdict)
    actions.draw_message()
    open_incidents(view, chosen)
    rule_table(view)
    st.caption(f"[Other numbers for a rule](#{ANCHOR}), and what they would have done")
    remedy_panel(ui.services().remedies.view())
    st.subheader("Who is told", anchor=False)
    notifications(view.stats)
    with st.container(horizontal=True, vertical_alignment="center"):
        actions.test_button(bool(view.stats.notifier.urls))
        actions.silence(view)
    actions.silences(view)
    resolved_incidents(view, chosen)


live()
rule_workbench(alerts.view())
