"""The panels of the data page that are no form: the tables, what runs, and what an operation came to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st

from core.operations import Operation, Started
from core.platform.data import TableFacts
from core.platform.panel import Panel
from core.ui.operation_panels import STATES
from core.ui.session import attempt, guard, run, services
from core.ui.text import plain
from core.ui.verdict import clock

KINDS = ("import", "check", "generate")
MESSAGE = "data_message"
MIB, GIB = 1024**2, 1024**3
COUNTS = (
    ("read", "Rows read"), ("inserted", "Inserted"), ("repeated_in_file", "Repeated in the file"),
    ("already_there", "Already there"), ("rejected", "Rejected"),
)  # fmt: skip
UNDONE = {
    "import": "Nothing was loaded: the tables are as before.",
    "check": "A check changes nothing.",
    "generate": "What was under way is undone; leads with their interactions stay only where all of them had been added.",
}
REASON_COLUMNS = {"Line": st.column_config.NumberColumn(width=70), "Reason": st.column_config.TextColumn(width=900)}


def draw_tables(panel: Panel[tuple[TableFacts, ...]], now: datetime) -> None:
    """The first line, and rows, size and newest date of each table."""
    colour, icon, words = _headline(panel)
    st.title(f":{colour}[:material/{icon}:] {words}", anchor=False)
    if panel.error:
        st.markdown(f"**Next:** {plain(panel.next_step)}")
    if not panel.value:
        return
    with st.grid(len(panel.value), min_column_width=150):
        for table in panel.value:
            st.metric(
                table.title,
                f"{table.rows:,}" if table.rows is not None else "not analysed",
                f"{_size(table.size_bytes)}{_newest(table.newest, now)}",
                delta_color="off",
                delta_arrow="off",
                border=True,
                height="stretch",
            )
    stale = f":orange[stale: {plain(panel.error)}] · " if panel.error else ""
    st.caption(f"{stale}{panel.age_seconds:.0f} s old · rows as in PostgreSQL's statistics, sizes with indexes, newest dates")


def _headline(panel: Panel[tuple[TableFacts, ...]]) -> tuple[str, str, str]:
    if panel.value is None:
        return "orange", "help", f"Cannot tell what data there is{': ' + plain(panel.error) if panel.error else ''}"
    if not panel.value:
        return "orange", "help", "This database has no table of the platform"
    rows, size = sum(table.rows or 0 for table in panel.value), sum(table.size_bytes for table in panel.value)
    if rows == 0:
        return "gray", "database", "There is no data yet: import a file or generate rows"
    return "green", "database", f"{rows:,} rows, {_size(size)}"


def _size(size_bytes: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f} {name}"
    return f"{size_bytes / 1024:,.0f} KiB"


def _newest(newest: datetime | date | None, now: datetime) -> str:
    if newest is None:
        return ""
    return f" · to {clock(newest, now) if isinstance(newest, datetime) else f'{newest:%-d %b %Y}'}"


def refusal(typed: str | None) -> str:
    """Why data may not be changed now; empty when it may."""
    settings = services().settings
    if settings.effective_mode != "operate":
        return f"{settings.target_name} is only watched (MODE=watch): nothing is changed there."
    if not settings.database_embedded and (typed or "").strip() != settings.target_name:
        return f"Type {settings.target_name} above to allow it."
    if not services().setup.finished.is_set():
        return "The database is still being set up."
    return ""


def ask_target(key: str) -> str | None:
    """The field for the target's name, where it must be typed."""
    settings = services().settings
    if settings.database_embedded or settings.effective_mode != "operate":
        return None
    label = f"This changes data in {settings.target_name}, which is not the embedded database: type its name to allow it"
    return st.text_input(label, key=key, autocomplete="off")


def start(work: Coroutine[Any, Any, Started], then: Callable[[Operation], None]) -> None:
    """Start an operation from a callback, put it into the address, and keep what went wrong for `draw_message`."""
    guard("operator")
    box: list[Started] = []

    async def kept() -> None:
        box.append(await work)

    st.session_state[MESSAGE] = attempt(kept())
    if not box:
        return
    operation = box[0].operation
    st.query_params["op"] = str(operation.id)
    if not box[0].created:
        st.session_state[MESSAGE] = f"{operation.title} runs already, started by {operation.operator}; nothing new was started."
        return
    then(operation)


def draw_message() -> None:
    """What the last action came to, when it went wrong."""
    if message := st.session_state.get(MESSAGE):
        st.error(message, icon=":material/error:")


def asked_operation() -> Operation | None:
    """The operation of this page that the address names."""
    text = st.query_params.get("op", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    operation = run(services().activity.operation(int(text))).value
    return operation if operation is not None and operation.kind in KINDS else None


def draw_outcome(operation: Operation) -> None:
    """What an operation that is over came to: counts, reasons, and the rejected rows to take along."""
    colour, icon = STATES[operation.state]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plain(operation.title)}**", width="content")
            st.badge(operation.state, color=colour, icon=f":material/{icon}:", width="content")
        if operation.error:
            st.error(f"{plain(operation.error)}\n\n**Next:** {plain(operation.next_step)}", icon=":material/error:")
        if operation.state != "done":
            st.caption(UNDONE[operation.kind])
        result = operation.result or {}
        if operation.kind == "generate" and result:
            st.markdown(f"{result['rows']:,} rows in {result['copy_seconds']:,.1f} s, {result['rows_per_second']:,.0f} rows/s")
        elif result:
            _counts(result)
        with st.container(horizontal=True, vertical_alignment="center"):
            _rejected(result)
            st.page_link("pages/activity.py", label="Everything about it", icon=":material/history:",
                         query_params={"id": str(operation.id)})  # fmt: skip
            st.button("Close", key="close-outcome", type="tertiary", icon=":material/close:", on_click=_forget_operation)


def _counts(result: Mapping[str, Any]) -> None:
    with st.grid(len(COUNTS), min_column_width=130):
        for name, label in COUNTS:
            shown = "To insert" if name == "inserted" and result["dry_run"] else label
            st.metric(shown, f"{result[name]:,}")
    st.caption(f"{result['duration_seconds']:,.1f} s, {result['rows_per_second']:,.0f} rows/s")
    for note in (*(f"Market made: {name}" for name in result["markets_created"]), *result["notes"]):
        st.caption(f":material/info: {plain(note)}")
    draw_reasons(result["reasons"], result["rejected"])


def draw_reasons(reasons: Sequence[Mapping[str, Any]], total: int) -> None:
    """The first rejected rows."""
    if not reasons:
        return
    with st.expander(f"Why rows are rejected: the first {len(reasons)} of {total:,}"):
        rows = [{"Line": item["line"], "Reason": item["reason"]} for item in reasons]
        st.dataframe(rows, hide_index=True, width="stretch", column_config=REASON_COLUMNS)


def _rejected(result: Mapping[str, Any]) -> None:
    path = services().data.uploads.rejected_file(result.get("rejected_path"))
    if path is not None:
        st.download_button(
            "Rejected rows", path.read_bytes, path.name, "text/csv", icon=":material/download:", on_click="ignore",
            key="download-rejected", help="Line, reason and the original fields; correct them and import this file.",
        )  # fmt: skip
    elif result.get("rejected_path"):
        st.caption(f"Rejected rows: {plain(result['rejected_path'])}")


def _forget_operation() -> None:
    st.query_params.pop("op", None)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)
