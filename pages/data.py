"""What data is there, and how do I bring in my own?"""

import streamlit as st

from core import ui
from core.ui import data_panels as panels
from core.ui.generate_panel import generate_form
from core.ui.import_panel import import_form
from core.ui.operation_panels import draw_message as draw_cancel_message
from core.ui.operation_panels import running_operation, toast_ended
from core.ui.redraw import redraw_when_changed

ui.guard("viewer")
services = ui.services()


@st.fragment(run_every="2s")
def live() -> None:
    """The tables, and what changes them now, in whatever process."""
    panels.draw_tables(ui.run(services.data.tables()), panels.now())
    draw_cancel_message()
    running = ui.run(services.activity.running()).value
    operations = tuple(item for item in running.operations if item.kind in panels.KINDS) if running else ()
    for operation in operations:
        running_operation(operation, panels.now())
    toast_ended(operations)
    redraw_when_changed("data_seen", (tuple(operation.id for operation in operations), services.setup.finished.is_set()))


live()
panels.draw_message()
asked = panels.asked_operation()
if asked is not None and not asked.running:
    panels.draw_outcome(asked)
action = st.segmented_control(
    "What to do", ("Import", "Generate"), default="Import", required=True, key="action", bind="query-params",
    label_visibility="collapsed",
)  # fmt: skip
if action == "Generate":
    generate_form()
else:
    import_form()
