"""The list of prompts: which there are, which version answers, and a new one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.claude.prompt_library import PromptSummary
from core.claude.prompts import SHIPPED
from core.platform.panel import Panel
from core.ui.address import forget
from core.ui.prompt_actions import create
from core.ui.prompt_data import read_prompts
from core.ui.prompt_draft import unsaved
from core.ui.session import run, services
from core.ui.text import plain
from core.ui.verdict import span

COLUMNS = {
    "Name": st.column_config.TextColumn(width=170, pinned=True),
    "Title": st.column_config.TextColumn(width=170),
    "In use": st.column_config.NumberColumn(format="%d", width=65, help="The version that answers"),
    "Newest": st.column_config.NumberColumn(format="%d", width=70),
    "By": st.column_config.TextColumn(width=110),
    "Made": st.column_config.TextColumn(width=90),
    "Note": st.column_config.TextColumn(width="large"),
}


def draw_prompts() -> None:
    """The first line, the table, a row of which opens a prompt, and the form for a new one."""
    head = st.container()
    archived = st.toggle("Show the archive too", key="archived", bind="query-params")
    panel = run(read_prompts(services(), archived=archived))
    with head:
        _first_line(panel)
    if panel.value:
        _table(panel.value)
    elif panel.error:
        _without_store()
    _new(panel.value or ())


def _first_line(panel: Panel[tuple[PromptSummary, ...]]) -> None:
    if panel.value is None:
        st.title(f":orange[:material/help:] Cannot tell: {plain(panel.error.rstrip('.'))}", anchor=False)
        st.markdown(f"**Next:** {plain(panel.next_step)} The texts below go on answering, and can be tried.")
        return
    waiting = [one for one in panel.value if one.latest > one.in_use and one.archived_at is None]
    count = len(panel.value)
    words = f"{count} prompts" if count != 1 else "1 prompt"
    st.title(f"{words}, {len(waiting)} with a newer version that does not answer yet", anchor=False)
    todo = f"Open {plain(waiting[0].name)} and try version {waiting[0].latest} on real leads." if waiting else ""
    st.markdown(f"**Next:** {todo or 'Open one, change it, and try both texts on real leads.'}")
    if names := sorted({name for name, _ in unsaved()}):
        st.info(f"Not saved yet in this browser: {plain(', '.join(names))}.", icon=":material/edit_note:")


def _table(prompts: Sequence[PromptSummary]) -> None:
    now = datetime.now(UTC)
    names = [one.name for one in prompts]
    key = f"prompts-{hash(tuple(prompts))}"
    st.dataframe(
        [
            {
                "Name": one.name,
                "Title": one.title,
                "In use": one.in_use,
                "Newest": one.latest,
                "By": "shipped" if one.author == SHIPPED else one.author,
                "Made": f"{span(now - one.created_at)} ago",
                "Note": f"{f'ARCHIVED by {one.archived_by}. ' if one.archived_at else ''}{' '.join(one.note.split())}",
            }
            for one in prompts
        ],
        key=key, hide_index=True, column_config=COLUMNS, placeholder="", selection_mode="single-row",
        on_select=lambda: _open(names, key),
        alt="Table of the prompts: name, title, version in use, newest version, author and note.",
    )  # fmt: skip
    st.caption("Read now · choose a row to open a prompt")


def _open(names: Sequence[str], widget: str) -> None:
    rows = st.session_state[widget].selection.rows
    if rows:
        open_prompt(names[rows[0]])


def open_prompt(name: str) -> None:
    """Let the address name a prompt, and nothing of another one."""
    forget("version", "before", "after", "run")
    st.query_params["prompt"] = name


def _without_store() -> None:
    for one in services().claude_parts.prompts.at_hand():
        with st.container(horizontal=True, vertical_alignment="center"):
            label = f"version {one.version}" if one.version else "the shipped text"
            st.button(one.name, key=f"open-{one.name}", on_click=open_prompt, args=(one.name,))
            st.caption(f"{plain(one.title)}: {label} answers", width="content")


def _new(prompts: Sequence[PromptSummary]) -> None:
    names = [one.name for one in prompts]
    with st.popover("New prompt", icon=":material/add:", key="new_prompt"), st.form("new_prompt_form", border=False):
        st.text_input("Name", key="new_name", placeholder="lead_follow_up", help="Small letters, digits and _", max_chars=63)
        st.text_input("Title", key="new_title", placeholder="Lead follow-up", max_chars=200)
        st.selectbox(
            "Begin with",
            ["", *names],
            key="new_like",
            format_func=lambda name: f"a copy of {name}" if name else "an empty text",
        )
        st.form_submit_button("Make it", key="new_make", type="primary", icon=":material/add:", on_click=_create)
        st.caption("Version 1 of a new name answers whoever asks for that name; nobody does yet.")


def _create() -> None:
    state = st.session_state
    like = state.get("new_like") or ""
    known = run(services().claude_parts.prompts.in_use(like)) if like else None
    create(str(state.get("new_name") or "").strip(), str(state.get("new_title") or "").strip(), known)
