"""Who did what, and what runs now?"""

from datetime import UTC, datetime
from typing import cast, get_args

import streamlit as st

from core import ui
from core.operations import State
from core.platform.activity import EXPORT_MOST, Filters, History
from core.platform.panel import Panel
from core.ui import operation_panels as panels
from core.ui.address import choose, forget, number
from core.ui.redraw import redraw_when_changed

ui.guard("viewer")
activity = ui.services().activity


@st.fragment(run_every="2s")
def live() -> None:
    """What runs, in whatever process."""
    running = ui.run(activity.running())
    now = datetime.now(UTC)
    panels.draw_activity(running, now)
    panels.draw_message()
    operations = running.value.operations if running.value else ()
    for operation in operations:
        panels.running_operation(operation, now)
    last = running.value.newest.id if running.value and running.value.newest else 0
    redraw_when_changed("activity_seen", (last, tuple(operation.id for operation in operations), bool(running.error)))
    panels.toast_ended(operations)  # After the redraw, which would take the toast with it.


def choose_filters() -> Filters:
    """The filters, which the page's address carries."""
    choices = ui.run(activity.choices())
    with st.grid(3, min_column_width=95):
        state = cast("State | None", choose("State", "state", get_args(State), newest, closed=True))
        kind = choose("Kind", "kind", choices.kinds, newest)
        operator = choose("Operator", "operator", choices.operators, newest)
    return Filters(kind, state, operator, number("before"))


def newest() -> None:
    """Another filter starts with the newest."""
    forget("before")


def draw_history(panel: Panel[History], narrowed: bool) -> None:
    """The table, a row of which opens its details, and the way to older ones."""
    if panel.value is None:
        st.warning(f"{panel.error} {panel.next_step}", icon=":material/cloud_off:")
    elif panel.value.operations:
        ids = [operation.id for operation in panel.value.operations]
        selected = [ids.index(chosen)] if (chosen := number("id")) in ids else []
        # A key of its own for each content: a selection belongs to a row's number, not to the row.
        key = f"history-{ids[0]}-{len(ids)}-{hash(tuple(operation.state for operation in panel.value.operations))}"
        st.dataframe(
            panels.history_rows(panel.value),
            key=key,
            hide_index=True,
            column_config=panels.HISTORY_COLUMNS,
            placeholder="",
            selection_mode="single-row",
            selection_default={"selection": {"rows": selected}},
            on_select=lambda: select(ids, st.session_state[key].selection.rows),
        )
        draw_paging(panel.value)
    elif narrowed:
        st.info("No operation is of this kind, state and operator.", icon=":material/filter_alt_off:")
    else:
        st.info("Imports, generation, traffic and other long work appear here once started.", icon=":material/history:")


def select(ids: list[int], rows: list[int]) -> None:
    """Keep the chosen operation in the address."""
    if rows:
        st.query_params["id"] = str(ids[rows[0]])
    else:
        forget("id")


def draw_paging(history: History) -> None:
    """Older ones, the newest ones, and all of them as a file."""
    with st.container(horizontal=True, vertical_alignment="center"):
        older = {"before": str(history.operations[-1].id)}
        st.button(
            "Older", icon=":material/chevron_left:", on_click=st.query_params.update, args=(older,), disabled=not history.more
        )
        st.button("Newest", icon=":material/last_page:", on_click=newest, disabled=number("before") is None)
        st.download_button(
            "Export CSV", lambda: ui.run(activity.export(filters)), "operations.csv", "text/csv", icon=":material/download:",
            on_click="ignore", help=f"The newest {EXPORT_MOST:,} of what the filters let through.",
        )  # fmt: skip


live()
st.subheader("History", anchor=False)
filters = choose_filters()
draw_history(ui.run(activity.history(filters)), bool(filters.kind or filters.state or filters.operator or filters.before_id))
if (operation_id := number("id")) is not None:
    panels.operation_details(ui.run(activity.operation(operation_id)), datetime.now(UTC))
