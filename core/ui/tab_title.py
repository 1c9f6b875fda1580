"""TabTitle: the first line in the browser's tab on every page, asked anew by the browser itself, so that it costs no run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from core.platform.first_line import tab_title
from core.ui.session import services

TITLE = "Operator console"

_component = st.components.v2.component(
    "tab_title", html="<span></span>", js=(Path(__file__).with_name("assets") / "tab_title.js").read_text(encoding="utf-8")
)


def title_now() -> str:
    """What the tab says at this run."""
    return f"{tab_title(services().promises.view().verdict, datetime.now(UTC))} · {TITLE}"


def keep_title() -> None:
    """Have the browser keep it up to date; draw it once on every page."""
    if st.context.headers:  # Tests of a page have no browser.
        st.html("<style>.st-key-tab-title { display: none }</style>")  # It shows nothing, and shall take no room.
        _component(key="tab-title", data={"name": TITLE})
