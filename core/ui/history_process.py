"""HistoryProcess: whose history a long window shows: that of all processes together, or of one."""

from __future__ import annotations

import streamlit as st

from core.api.live import ALL_PROCESSES
from core.monitor.history.writer import ProcessInfo
from core.ui.session import run_quietly, services

KEY = "of_process"


def process_choice() -> str:
    """The choice, where there is more than one process to choose from; as the route names it."""
    known = run_quietly(services().history.processes(), ())
    names = {ALL_PROCESSES: "All processes"} | {str(item.id): _words(item) for item in known}
    if len(known) < 2:
        return ALL_PROCESSES
    chosen = st.selectbox(
        "Whose history",
        list(names),
        format_func=names.__getitem__,
        key=KEY,
        bind="query-params",
        label_visibility="collapsed",
        width=300,
    )
    return chosen or ALL_PROCESSES


def chosen_process() -> str:
    """What was chosen, for a part of the page that is drawn without the controls."""
    return str(st.session_state.get(KEY) or ALL_PROCESSES)


def _words(process: ProcessInfo) -> str:
    return f"{process.role} {process.host} {process.pid}, since {process.started_at:%d %b %H:%M} UTC"
