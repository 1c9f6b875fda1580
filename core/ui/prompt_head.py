"""The first lines of one prompt: which version answers, which is open, and what waits to be decided."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.claude.prompts import SHIPPED, PromptVersion
from core.ui.address import forget, number
from core.ui.prompt_data import PromptView, read_prompt
from core.ui.prompt_draft import is_changed
from core.ui.prompt_versions import use_action
from core.ui.session import run, services
from core.ui.text import plain
from core.ui.verdict import span

OF_ONE = ("prompt", "version", "before", "after", "run", "before_run")
NOTE_CHARACTERS = 160
SEEN = "prompt_seen"
CHOICES = ("text", "beside", "on", "show_prompt")  # Widgets that the address follows: without them it says nothing of them.


def find_prompt(name: str) -> PromptView | None:
    """The prompt that the address names; this session keeps what it saw, for while the store is away."""
    seen: dict[str, PromptView] = st.session_state.setdefault(SEEN, {})
    view = run(read_prompt(services(), name, seen.get(name))) if name else None
    if view is not None and not view.error:
        seen[name] = view
    return view


def opened_version(view: PromptView) -> PromptVersion:
    """The version that the address names, or the newest; it is then named, so that what others save changes nothing here."""
    opened = view.version(number("version"))
    if opened.version:
        st.query_params["version"] = str(opened.version)
    return opened


def draw_head(view: PromptView, opened: PromptVersion) -> None:
    """The title, what is in use and what is open, and the way back."""
    answers = f"version {view.in_use} answers" if view.in_use else "the shipped text answers"
    st.title(f"{plain(view.title)}: {answers}", anchor=False)
    st.markdown(f"**Next:** {_next(view, opened)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        back_to_list()
        st.badge(_opened_words(view, opened), color="blue", icon=":material/description:", width="content")
        if is_changed(opened):
            st.badge("not saved", color="orange", icon=":material/edit_note:", width="content")
        if view.archived_by is not None:
            st.badge(f"archived by {plain(view.archived_by)}", color="gray", icon=":material/archive:", width="content")
        if opened.version != view.in_use:
            use_action(view, opened)
        st.caption(_origin(opened), width="content")


def back_to_list() -> None:
    """The button that leaves a prompt."""
    st.button("All prompts", key="all_prompts", icon=":material/arrow_back:", on_click=_leave)


def _leave() -> None:
    forget(*OF_ONE)
    for name in CHOICES:
        st.session_state.pop(name, None)


def _next(view: PromptView, opened: PromptVersion) -> str:
    if view.error:
        return "Try it meanwhile: the store that keeps versions is away."
    if is_changed(opened):
        return "Run the draft beside the version in use, then save it."
    newest = view.versions[0].version
    if opened.version != view.in_use:
        return f"Run version {opened.version} beside version {view.in_use} on real leads, then use it if it is better."
    return f"Version {newest} is newer and does not answer yet: try it." if newest > view.in_use else "Change it, and run both."


def _opened_words(view: PromptView, opened: PromptVersion) -> str:
    number = f"version {opened.version} open" if opened.version else "shipped text open"
    return number if opened.version in (view.versions[0].version, 0) else f"{number}, newest {view.versions[0].version}"


def _origin(opened: PromptVersion) -> str:
    who = "shipped with the console" if opened.author == SHIPPED else f"by {plain(opened.author)}"
    when = f", {span(datetime.now(UTC) - opened.created_at)} ago" if opened.created_at else ""
    note = " ".join(opened.note.split())
    shown = note if len(note) <= NOTE_CHARACTERS else f"{note[:NOTE_CHARACTERS]}..."
    return f"{who}{when}" + (f": {plain(shown)}" if note else "")
