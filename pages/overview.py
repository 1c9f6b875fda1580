"""Is anything wrong, since when, who feels it, and what is to be done?"""

import streamlit as st

from core import ui
from core.ui import overview_panels as panels
from core.ui.first_line import draw_first_line
from core.ui.layer_charts import layer_charts
from core.ui.live_chart import live_controls
from core.ui.machine_panel import this_machine
from core.ui.marks_panel import mark_button
from core.ui.promise_panels import broken_promises, draw_style, kept_promises
from core.ui.redraw import redraw_when_changed
from core.ui.server_cards import server_cards
from core.ui.traffic_panel import make_traffic

ui.guard("viewer")
services = ui.services()


@st.fragment(run_every="5s")
def live() -> None:
    """What changes, as often as it is judged; a run costs 3 ms before it draws anything."""
    promises, view = services.promises.view(), ui.run(services.overview.load())
    draw_first_line(promises.verdict)
    broken_promises(promises)
    kept_promises(promises, services.monitor.total("api_request_seconds"))
    panels.missed_warming(view)
    panels.setup_steps(view.steps)
    server_cards(view, {promise.rule for promise in promises.broken})
    redraw_when_changed(
        "overview_seen", (services.setup.finished.is_set(), view.first_steps, services.traffic.running() is None)
    )


draw_style()
with st.container():  # What is drawn in it is more or less, and charts that change their place lose their zoom.
    live()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.subheader("Layers", anchor=False, width="content")
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        window = live_controls()
        mark_button()
layer_charts(services.settings, services.claude.scope, window)
make_traffic()
this_machine(window)
view = ui.run(services.overview.load())
panels.row_counts(view.counts, services.overview.environment().data_note, view.loaded_at)
panels.market_prices(ui.run(services.overview.market_prices()))
panels.first_steps(view.first_steps)
