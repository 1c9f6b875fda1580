"""Which indexes are there, and can one more be built now without stopping anybody?"""

import streamlit as st

from core import ui
from core.platform.index_overview import IndexView
from core.ui import index_panels as panels
from core.ui.index_actions import chosen_indexes
from core.ui.index_preflight import statement_form
from core.ui.index_tables import found_table, set_table
from core.ui.operation_panels import draw_message, toast_ended

SECTIONS = ("Set", "On the tables", "Check a statement")

ui.guard("viewer")
services = ui.services()


def live() -> None:
    """What changes from second to second: how the set stands, and what is built or dropped now, in whatever process."""
    view = ui.run(services.index_overview.load())
    panels.draw_headline(view)
    draw_message()
    panels.draw_work(view)
    panels.draw_numbers(view)
    panels.draw_last(view)
    redraw_when_changed(seen(view))
    toast_ended(tuple(item.operation for item in view.work))  # After the redraw, which would take the toast with it.


def seen(view: IndexView) -> object:
    """What the rest of the page stands on."""
    states = tuple((one.notes.name, one.state.state, one.stamped) for one in view.set.value or ())
    return states, tuple(item.operation.id for item in view.work), bool(view.others), bool(view.set.error)


def redraw_when_changed(now_seen: object) -> None:
    """Run the whole page again when what it draws outside the fragment has changed."""
    before = st.session_state.get("indexes_seen")
    st.session_state["indexes_seen"] = now_seen
    if before is not None and before != now_seen:
        st.rerun()


view = ui.run(services.index_overview.load())
st.fragment(live, run_every="1s" if view.work or view.others else "2s")()
show = st.segmented_control(
    "Show", SECTIONS, default="Set", required=True, key="section", bind="query-params", label_visibility="collapsed"
)
if show == "On the tables":
    found_table(view.found)
elif show == "Check a statement":
    statement_form()
else:
    chosen = [name for name in st.query_params.get("index", "").split(",") if name]
    set_table(view.set, chosen)
    chosen_indexes(view, chosen)
