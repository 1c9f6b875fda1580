"""The tables of the index page: the set with the true state of each, and every index of the platform's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from core.database.indexes.catalog import FoundIndex, SetIndex
from core.platform.commands import migrate_line
from core.platform.panel import Panel
from core.platform.units import MIB
from core.ui.address import choose, forget
from core.ui.text import plain
from core.ui.verdict import local

Colour = Literal["green", "blue", "red", "orange", "gray"]
INDEX_STATES: dict[str, Colour] = {
    "valid": "green", "absent": "gray", "building": "blue", "invalid": "red", "different": "orange",
}  # fmt: skip
ROWS_SHOWN, HEIGHT = 30, 640
_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_state = st.column_config.MultiselectColumn(options=list(INDEX_STATES), color=list(INDEX_STATES.values()), width=85)
SET_COLUMNS: dict[str, Any] = {
    "Index": _text(width=250, pinned=True),
    "State": _state,
    "Size, MiB": _number(format="%.1f", width=75),
    "Scans": _number(format="localized", width=75, help="Since the statistics were last reset"),
    "Last use": st.column_config.DatetimeColumn(format="D MMM HH:mm:ss", width=125, help="From PostgreSQL 16 on"),
    "On record": _text(width=80, help="Whether Alembic's record names it; the state itself is read from PostgreSQL"),
    "Serves": _text(width=215, help="The named queries of the platform that it is for"),
    "What to do": _text(width=420),
}
FOUND_COLUMNS: dict[str, Any] = {
    **{name: SET_COLUMNS[name] for name in ("Index", "State", "Size, MiB", "Scans", "Last use")},
    "Table": _text(width=125),
    "In the set": _text(width=75),
    "Remark": _text(width=420),
}


def set_table(panel: Panel[tuple[SetIndex, ...]], chosen: Sequence[str]) -> None:
    """The indexes of the set; choosing rows puts them into the address."""
    if panel.value is None:
        st.info("The set is shown when PostgreSQL answers.", icon=":material/cloud_off:")
        return
    names = [one.notes.name for one in panel.value]
    st.dataframe(
        [_set_row(one) for one in panel.value],
        key="index-set",
        hide_index=True,
        column_config=SET_COLUMNS,
        placeholder="",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [number for number, name in enumerate(names) if name in chosen]}},
        on_select=lambda: _choose(names),
        alt="Table of the indexes of the set with the true state, size and use of each.",
    )
    note = "" if chosen else " Choose one or more to build them, take them back or read why they are there."
    lines = f"`{migrate_line('status', ())}` `{migrate_line('verify', ())}`"
    st.caption(f"{_age(panel)} · states as PostgreSQL has them.{note} {lines}")


def _choose(names: Sequence[str]) -> None:
    rows = st.session_state["index-set"].selection.rows
    if rows:
        st.query_params["index"] = ",".join(names[row] for row in sorted(rows))
    else:
        forget("index")


def _set_row(one: SetIndex) -> dict[str, Any]:
    odd = (
        ""
        if one.agrees
        else "It is on record and not there: Adopt."
        if one.stamped
        else "It is there and not on record: Adopt."
    )
    return {
        "Index": one.notes.name,
        "State": [one.state.state],
        "Size, MiB": None if one.size_bytes is None else one.size_bytes / MIB,
        "Scans": one.scans,
        "Last use": _naive(one.last_scan_at),
        "On record": "yes" if one.stamped else "no",
        "Serves": ", ".join(one.notes.serves),
        "What to do": one.state.next_step if one.state.state in ("invalid", "different") else odd,
    }


def found_table(panel: Panel[tuple[FoundIndex, ...]]) -> None:
    """Every index of the platform's tables; choosing one shows its definition."""
    if not panel.value:
        words = "There is no index on the platform's tables." if panel.value is not None else "Shown when PostgreSQL answers."
        st.info(words, icon=":material/database:")
        return
    with st.container(width=300):
        table = choose("Table", "table", sorted({one.table for one in panel.value}), lambda: forget("found"))
    shown = [one for one in panel.value if table in (None, one.table)]
    names, asked = [one.name for one in shown], st.query_params.get("found", "")
    key = f"index-found-{table}"
    st.dataframe(
        [_found_row(one) for one in shown],
        key=key,
        hide_index=True,
        height="content" if len(shown) <= ROWS_SHOWN else HEIGHT,
        column_config=FOUND_COLUMNS,
        placeholder="",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(asked)] if asked in names else []}},
        on_select=lambda: _open(names, key),
        alt="Table of every index of the platform's tables with size, scans and last use.",
    )
    st.caption(f"{_age(panel)} · scans of this server alone: a replica counts its own. Choose one for its definition.")
    if one := next((one for one in shown if one.name == asked), None):
        _definition(one)


def _open(names: Sequence[str], key: str) -> None:
    rows = st.session_state[key].selection.rows
    if rows:
        st.query_params["found"] = names[rows[0]]
    else:
        forget("found")


def _found_row(one: FoundIndex) -> dict[str, Any]:
    state = "building" if one.building else "valid" if one.valid else "invalid"
    return {
        "Index": one.name,
        "State": [state],
        "Size, MiB": one.size_bytes / MIB,
        "Scans": one.scans,
        "Last use": _naive(one.last_scan_at),
        "Table": one.table,
        "In the set": "yes" if one.in_set else "",
        "Remark": _remark(one),
    }


def _remark(one: FoundIndex) -> str:
    parts = (
        f"the same as {', '.join(one.same_as)}" if one.same_as else "",
        f"{', '.join(one.covered_by)} begins with the same columns" if one.covered_by else "",
        "a constraint stands on it" if one.of_constraint else "",
        "on a partitioned table: not valid until each partition is attached" if one.partitioned and not one.valid else "",
        "left by a failed build" if not (one.valid or one.building or one.partitioned) else "",
        "never used" if one.valid and not one.scans and not one.of_constraint else "",
    )
    return "; ".join(part for part in parts if part)


def _definition(one: FoundIndex) -> None:
    """What it is, and how to drop one that is not of the set."""
    with st.container(border=True):
        remark = f": {plain(_remark(one))}" if _remark(one) else ""
        st.markdown(f"**{plain(one.name)}** on {plain(one.table)}{remark}")
        st.code(one.definition, language="sql", wrap_lines=True)
        if one.of_constraint:
            st.caption("A constraint stands on it: it goes only with the constraint.")
        elif one.in_set:
            st.caption("It is of the set: choose it there to take it back.")
        elif not one.partitioned:
            st.caption(
                "The console drops only indexes of its set. To drop this one beside running reads and writes, as its owner:"
            )
            st.code(f"DROP INDEX CONCURRENTLY {_quoted(one.name)}", language="sql", wrap_lines=True)


def _age(panel: Panel[Any]) -> str:
    stale = f":orange[stale: {plain(panel.error)}] · " if panel.error else ""
    return f"{stale}{panel.age_seconds:.0f} s old"


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else local(moment).replace(tzinfo=None)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
