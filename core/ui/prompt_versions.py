"""The versions of a prompt: which one answers, what any two differ in, and the actions that change who answers."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.claude.prompt_diff import diff
from core.claude.prompts import SHIPPED, PromptVersion
from core.platform.prompt_lines import archive_line, use_line
from core.ui.address import number
from core.ui.prompt_actions import archive, use
from core.ui.prompt_data import PromptView
from core.ui.prompt_diffs import draw_diffs
from core.ui.session import operator, services
from core.ui.text import plain
from core.ui.verdict import clock

TABLE_PIXELS = 247
COLUMNS = {
    "Version": st.column_config.NumberColumn(format="%d", width=70, pinned=True),
    "Answers": st.column_config.TextColumn(width=75),
    "By": st.column_config.TextColumn(width=110),
    "Made": st.column_config.TextColumn(width=110),
    "Note": st.column_config.TextColumn(width="large"),
    "Model": st.column_config.TextColumn(width=140),
    "max_tokens": st.column_config.NumberColumn(format="localized", width=90),
    "Effort": st.column_config.TextColumn(width=75),
    "Thinking": st.column_config.TextColumn(width=75),
}


def draw_versions(view: PromptView, opened: PromptVersion) -> None:
    """The table, the difference of any two, and putting the prompt away."""
    now, default = datetime.now(UTC), services().claude_parts.model
    numbers = [one.version for one in view.versions]
    key = f"versions-{view.name}-{numbers[0]}-{view.in_use}"
    st.dataframe(
        [_row(one, view.in_use, default, now) for one in view.versions],
        key=key, hide_index=True, column_config=COLUMNS, placeholder="", height=min(TABLE_PIXELS, 37 + 35 * len(numbers)),
        selection_mode="single-row", selection_default={"selection": {"rows": [numbers.index(opened.version)]}},
        on_select=lambda: _select(numbers, key),
        alt="Table of the versions: number, whether it answers, author, time, note, model and its levers.",
    )  # fmt: skip
    st.caption("Choose a row to open that version. None of them ever changes.")
    if len(view.versions) > 1:
        _compare(view, opened)
    archive_action(view)


def use_action(view: PromptView, version: PromptVersion) -> None:
    """Let a version answer, with what that means."""
    with st.popover(
        f"Use version {version.version}", icon=":material/published_with_changes:", key="ask-use", disabled=bool(view.error)
    ):
        st.markdown(
            f"Version {version.version} then answers whoever asks for **{plain(view.name)}**, here at once and in other "
            f"processes within 5 s, in place of version {view.in_use}. Kept answers belong to the version "
            "that made them, so like asks are asked anew. Any version can be used again at any time."
        )
        st.code(use_line(view.name, version.version), language="sql", wrap_lines=True)
        st.button(
            f"Use version {version.version}", key="prompt_use", type="primary", on_click=use, args=(view.name, version.version)
        )


def archive_action(view: PromptView) -> None:
    """Put the prompt away, or take it out of the archive."""
    restore = view.archived_by is not None
    label = "Restore the prompt" if restore else "Archive the prompt"
    with st.popover(
        label, icon=":material/unarchive:" if restore else ":material/archive:", key="ask-archive", disabled=bool(view.error)
    ):
        st.markdown(
            "It comes back on the list."
            if restore
            else "It leaves the list. Its versions and runs stay, and the version in use still answers who asks by its name."
        )
        st.code(archive_line(view.name, None if restore else operator()), language="sql", wrap_lines=True)
        st.button(label, key="prompt_archive", type="primary", on_click=archive, args=(view.name,), kwargs={"restore": restore})


def _row(one: PromptVersion, in_use: int, default: str, now: datetime) -> dict[str, object]:
    return {
        "Version": one.version,
        "Answers": "in use" if one.version == in_use else "",
        "By": "shipped" if one.author == SHIPPED else one.author,
        "Made": clock(one.created_at, now) if one.created_at else "",
        "Note": " ".join(one.note.split()),
        "Model": one.model or f"({default})",
        "max_tokens": one.max_tokens,
        "Effort": one.effort or "",
        "Thinking": one.thinking,
    }


def _select(numbers: list[int], widget: str) -> None:
    rows = st.session_state[widget].selection.rows
    if rows:
        st.query_params["version"] = str(numbers[rows[0]])


def _compare(view: PromptView, opened: PromptVersion) -> None:
    numbers = [one.version for one in view.versions]
    st.subheader("What differs", anchor=False)
    first = view.in_use if view.in_use != opened.version else numbers[min(1, len(numbers) - 1)]
    with st.grid(2, min_column_width=150):
        before = _choose("From version", "before", numbers, first)
        after = _choose("To version", "after", numbers, opened.version)
    draw_diffs(diff(view.version(before), view.version(after)))


def _choose(label: str, name: str, numbers: list[int], default: int) -> int:
    asked = number(name)
    chosen = asked if asked in numbers else default
    key = f"diff-{name}-{chosen}-{numbers[0]}"
    found = st.selectbox(
        label,
        numbers,
        index=numbers.index(chosen),
        key=key,
        on_change=lambda: st.query_params.update({name: str(st.session_state[key])}),
    )
    return int(found)
