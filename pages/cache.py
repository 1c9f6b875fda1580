"""Does the cache keep its promise, what is in it, and what should be warmed or removed?"""

import streamlit as st

from core import ui
from core.ui import cache_panels as panels
from core.ui.cache_actions import draw_message
from core.ui.cache_families import draw_busy, draw_families
from core.ui.cache_invalidate import invalidate_form
from core.ui.cache_keys import key_explorer
from core.ui.live_chart import live_controls, live_view
from core.ui.redraw import redraw_when_changed
from core.ui.warm_panel import warm_plans
from core.ui.whole_server import draw_whole_server

ui.guard("viewer")
services = ui.services()
SECTIONS = ("Families", "Plans", "Keys", "Invalidate")


@st.fragment(run_every="2s")
def live() -> None:
    """What changes from second to second."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Reads", anchor=False, width="content")
        window = live_controls(panels.WINDOWS, *panels.WINDOW)
    view = ui.run(services.cache_overview.load(window.recent_seconds))
    with head:
        panels.draw_verdict(view)
        draw_message()
    panels.draw_numbers(view, services.settings)
    draw_whole_server(services.whole_server.figures(), {"cache_hit_rate": "hit rate", "cache_read_p95": "commands"})
    panels.draw_tiers(view)
    redraw_when_changed("cache_seen", window)


@st.fragment(run_every="5s")
def families() -> None:
    """Each family in the window, and the keys that matter most."""
    view = ui.run(services.cache_overview.load(live_view(*panels.WINDOW).recent_seconds))
    draw_families(view.figures, st.query_params.get("family", ""))
    draw_busy(view.busy)
    if st.session_state["show"] != SECTIONS[0]:  # A key was chosen to be looked at.
        st.rerun()


live()
panels.draw_charts(services.settings, live_view(*panels.WINDOW))
first = None if "show" in st.session_state else SECTIONS[0]
show = st.segmented_control(
    "Show", SECTIONS, default=first, required=True, key="show", bind="query-params", label_visibility="collapsed"
)
if show == "Plans":
    warm_plans()
elif show == "Keys":
    key_explorer()
elif show == "Invalidate":
    invalidate_form()
else:
    families()
