"""Is PostgreSQL quick enough, which query is not, and who holds up whom?"""

import streamlit as st

from core import ui
from core.ui import database_panels as panels
from core.ui.database_actions import draw_message
from core.ui.database_queries import queries_table, query_details
from core.ui.database_server import own_statement, server_panel
from core.ui.database_sessions import sessions_panel
from core.ui.live_chart import live_controls, live_view
from core.ui.operation_panels import draw_message as draw_cancel_message
from core.ui.operation_panels import running_operation, toast_ended
from core.ui.redraw import redraw_when_changed
from core.ui.whole_server import draw_whole_server

ui.guard("viewer")
services = ui.services()
SECTIONS = ("Queries", "Sessions", "Whole server", "Your SQL")


@st.fragment(run_every="2s")
def live() -> None:
    """What changes from second to second, and the measuring that runs."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Now", anchor=False, width="content")
        window = live_controls(panels.WINDOWS, panels.DEFAULT_WINDOW)
    view = ui.run(services.database_overview.load(window.recent_seconds))
    with head:
        panels.draw_verdict(view)
    panels.draw_numbers(view.facts, services.settings)
    draw_whole_server(services.whole_server.figures(), {"database_p95": "statements", "database_pool": "connections"})
    draw_cancel_message()
    running = tuple(item for item in services.operations.running_here() if item.kind == "proof")
    for operation in running:
        running_operation(operation, view.loaded_at)
    redraw_when_changed("database_seen", (window, tuple(item.id for item in running), view.facts.status.state))
    toast_ended(running)  # After the redraw, which would take the toast with it.


@st.fragment(run_every="2s")
def section() -> None:
    """What is shown below the charts, renewed while it is looked at."""
    view = ui.run(services.database_overview.load(live_view(panels.DEFAULT_WINDOW).recent_seconds))
    if show == "Sessions":
        sessions_panel(view.facts.sessions)
    elif show == "Whole server":
        server_panel(view.server)
    else:
        queries_table(view.facts.queries, st.query_params.get("query", ""))
        if st.query_params.get("query", "") != st.session_state.get("query_drawn"):
            st.rerun()  # Its details are drawn outside of the fragment, so that they stand still.


live()
panels.draw_charts(services.settings, live_view(panels.DEFAULT_WINDOW))
show = st.segmented_control(
    "Show", SECTIONS, default="Queries", required=True, key="show", bind="query-params", label_visibility="collapsed"
)
draw_message()
st.session_state["query_drawn"] = chosen = st.query_params.get("query", "")
if show == "Your SQL":
    own_statement()
else:
    section()
    if show == "Queries" and chosen:
        query_details(chosen, live_view(panels.DEFAULT_WINDOW).recent_seconds)
