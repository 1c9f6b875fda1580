"""Redraw: a page is drawn anew when a fragment of it has seen a change of what stands outside the fragment."""

from __future__ import annotations

import streamlit as st


def redraw_when_changed(key: str, seen: object) -> None:
    """Run the whole page again when `seen` is another than at the last look under this key; the first look changes nothing."""
    before = st.session_state.get(key)
    st.session_state[key] = seen
    if before is not None and before != seen:
        st.rerun()
