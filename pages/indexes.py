"""Which indexes are there, and can one more be built now without stopping anybody?"""

import streamlit as st

from core import ui
from core.platform.index_overview import IndexView
from core.ui import index_panels as panels
from core.ui.database_actions import draw_message as draw_proof_message
from core.ui.index_actions import chosen_indexes
from core.ui.index_preflight import statement_form
from core.ui.index_tables import found_table, set_table
from core.ui.operation_panels import draw_message, toast_ended
from core.ui.redraw import redraw_when_changed

ui.guard("viewer")
services = ui.services()
SECTIONS = ("Set", "On the tables", "Check a statement")


def live() -> None:
    """What changes from second to second: how the set stands, and what is built or dropped now, in whatever process."""
    view = ui.run(services.index_overview.load())
    panels.draw_headline(view)
    draw_message()
    panels.draw_work(view)
    panels.draw_numbers(view)
    panels.draw_last(view)
    redraw_when_changed("indexes_seen", seen(view))
    toast_ended(
        (*(item.operation for item in view.work), *view.proofs)
    )  # After the redraw, which would take the toast with it.


def seen(view: IndexView) -> object:
    """What the rest of the page stands on."""
    states = tuple((one.notes.name, one.state.state, one.stamped) for one in view.set.value or ())
    running = tuple(item.operation.id for item in view.work) + tuple(item.id for item in view.proofs)
    return states, running, bool(view.others), bool(view.set.error)


@st.fragment(run_every="5s")
def tables(show: str) -> None:
    """The set, or every index of the platform's tables."""
    view = ui.run(services.index_overview.load())
    if show == "On the tables":
        found_table(view.found)
        return
    set_table(view.set, chosen())
    redraw_when_changed("indexes_chosen", chosen())


def chosen() -> list[str]:
    """The indexes of the set that the address names."""
    return [name for name in st.query_params.get("index", "").split(",") if name]


draw_proof_message()
view = ui.run(services.index_overview.load())
st.fragment(live, run_every="1s" if view.work or view.others else "2s")()
show = st.segmented_control(
    "Show", SECTIONS, default="Set", required=True, key="section", bind="query-params", label_visibility="collapsed"
)
if show == "Check a statement":
    statement_form()
else:
    tables(show)
if show == "Set":
    chosen_indexes(view, chosen())
