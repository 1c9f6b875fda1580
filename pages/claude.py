"""Does Claude answer in time, what does it cost, and what is in its way?"""

import streamlit as st

from core import ui
from core.ui import claude_panels as panels
from core.ui.claude_actions import draw_message
from core.ui.claude_charts import draw_charts
from core.ui.claude_costs import draw_costs
from core.ui.claude_dials import draw_dials
from core.ui.claude_now import draw_now
from core.ui.claude_tables import draw_errors, draw_models
from core.ui.live_chart import live_controls, live_view
from core.ui.redraw import redraw_when_changed

ui.guard("viewer")
services = ui.services()
SECTIONS = ("Costs", "Errors", "Models", *(("Dials",) if services.claude.rehearsal else ()))


@st.fragment(run_every="2s")
def live() -> None:
    """What changes from second to second."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Asks", anchor=False, width="content")
        window = live_controls(panels.WINDOWS, *panels.WINDOW)
    view = ui.run(services.claude_overview.load(window.recent_seconds))
    with head:
        panels.draw_verdict(view)
        draw_message()
        panels.draw_notices(view)
    panels.draw_numbers(view, services.settings)
    draw_now(view)
    redraw_when_changed("claude_seen", window)


@st.fragment(run_every="10s")
def costs() -> None:
    """What is spent, by whom and for what."""
    draw_costs(ui.run(services.claude_overview.costs()))


@st.fragment(run_every="5s")
def errors() -> None:
    """What failed in the window."""
    draw_errors(ui.run(services.claude_overview.load(live_view(*panels.WINDOW).recent_seconds)).figures)


live()
draw_charts(services.settings, services.claude.scope, live_view(*panels.WINDOW))
first = None if "show" in st.session_state else SECTIONS[0]
show = st.segmented_control(
    "Show", SECTIONS, default=first, required=True, key="show", bind="query-params", label_visibility="collapsed"
)
if show == "Errors":
    errors()
elif show == "Models":
    draw_models(ui.run(services.claude_overview.models()))
elif show == "Dials":
    draw_dials()
else:
    costs()
