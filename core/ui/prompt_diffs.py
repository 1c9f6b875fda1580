"""Differences of prompts on a page: field by field, each as a unified diff in the colours of the theme."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.claude.prompt_diff import FieldDiff
from core.ui.text import plain

SHORT_CHARACTERS = 60


def draw_diffs(differences: Sequence[FieldDiff]) -> None:
    """Each field that differs; a short one in one line."""
    if not differences:
        st.caption("Nothing that decides an answer differs.")
    for one in differences:
        short = max(len(one.before), len(one.after)) <= SHORT_CHARACTERS and "\n" not in one.before + one.after
        if short:
            before, after = plain(one.before) or "(empty)", plain(one.after) or "(empty)"
            st.markdown(f"**{one.field}** :red-background[{before}] → :green-background[{after}]")
        else:
            st.markdown(f"**{one.field}**")
            st.code("\n".join(one.lines), language="diff", wrap_lines=True)
