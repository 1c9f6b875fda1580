"""Is anything wrong, since when, and what is to be done?"""

import streamlit as st

from core import ui
from core.ui import overview_panels as panels
from core.ui.live_chart import live_view
from core.ui.live_panels import traffic_charts, traffic_numbers
from core.ui.machine_panel import this_machine
from core.ui.redraw import redraw_when_changed
from core.ui.traffic_panel import make_traffic
from core.ui.verdict import draw_verdict

ui.guard("viewer")
services = ui.services()


@st.fragment(run_every="2s")
def live() -> None:
    """What changes from second to second."""
    view = ui.run(services.overview.load())
    draw_verdict(view.verdict, view.loaded_at)
    panels.missed_warming(view)
    panels.setup_steps(view.steps)
    panels.dependency_cards(view)
    panels.row_counts(view.counts, services.overview.environment().data_note, view.loaded_at)
    window = traffic_numbers(services.monitor, services.settings)
    redraw_when_changed(
        "overview_seen", (window, services.setup.finished.is_set(), view.first_steps, services.traffic.running() is None)
    )


live()
traffic_charts(services.settings, live_view())
this_machine(live_view())
chart, steps = st.columns([2, 1], gap="medium")
with chart:
    panels.market_prices(ui.run(services.overview.market_prices()))
with steps:
    panels.first_steps(ui.run(services.overview.load()).first_steps)
make_traffic()
