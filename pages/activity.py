"""Who did what, and what runs now?"""

from datetime import UTC, datetime
from typing import Any, get_args

import streamlit as st

from core import ui
from core.operations import State
from core.platform.activity import EXPORT_MOST, Filters, History
from core.platform.panel import Panel
from core.ui import operation_panels as panels

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
    panels.toast_ended(operations)
    newest = running.value.newest.id if running.value and running.value.newest else 0
    redraw_when_changed((newest, tuple(operation.id for operation in operations), bool(running.error)))


def redraw_when_changed(seen: object) -> None:
    """Run the whole page again when something was started or is over: the history is drawn outside the fragment."""
    before = st.session_state.get("activity_seen")
    st.session_state["activity_seen"] = seen
    if before is not None and before != seen:
        st.rerun()


def choose_filters() -> Filters:
    """The filters, which the page's address carries."""
    choices = ui.run(activity.choices())
    state, kind, operator = st.columns(3)
    chosen_state = choose(state, "State", "state", get_args(State))
    chosen_kind = choose(kind, "Kind", "kind", choices.kinds)
    chosen_operator = choose(operator, "Operator", "operator", choices.operators)
    return Filters(chosen_kind, chosen_state, chosen_operator, number("before"))


def choose(column: Any, label: str, name: str, options: tuple[str, ...]) -> Any:
    """One filter; None when all are wanted. A value of the address stays an option while the store is away."""
    asked = st.query_params.get(name, "")
    known = ["", *options, *([asked] if asked and asked not in options and name != "state" else [])]
    return column.selectbox(
        label, known, key=name, format_func=lambda value: value or "All", bind="query-params", on_change=forget_page
    ) or None  # fmt: skip


def forget_page() -> None:
    """Another filter starts with the newest."""
    st.query_params.pop("before", None)


def number(name: str) -> int | None:
    """A whole number of the address; anything else is no number."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


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
            panels.history_rows(panel.value), key=key, hide_index=True, width="stretch", column_config=panels.HISTORY_COLUMNS,
            selection_mode="single-row", selection_default={"selection": {"rows": selected}},
            on_select=lambda: select(ids, st.session_state[key].selection.rows),
        )  # fmt: skip
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
        st.query_params.pop("id", None)


def draw_paging(history: History) -> None:
    """Older ones, the newest ones, and all of them as a file."""
    with st.container(horizontal=True, vertical_alignment="center"):
        older = {"before": str(history.operations[-1].id)}
        st.button(
            "Older", icon=":material/chevron_left:", on_click=st.query_params.update, args=(older,), disabled=not history.more
        )
        st.button("Newest", icon=":material/last_page:", on_click=forget_page, disabled=number("before") is None)
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
