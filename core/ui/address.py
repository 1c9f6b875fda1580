"""Address: what the address of a page carries, so that a link opens the same view; refuses to trust it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def number(name: str) -> int | None:
    """A whole number of the address; anything else is no number."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def forget(*names: str) -> None:
    """Take these out of the address."""
    for name in names:
        st.query_params.pop(name, None)


def choose(label: str, name: str, options: Sequence[str], on_change: Callable[[], None], *, closed: bool = False) -> str | None:
    """A filter that the address carries; None when all are wanted.

    Unless the options are a closed list, a value of the address stays one of them while the store that knows them is away.
    """
    asked = st.query_params.get(name, "")
    known = ["", *options, *([asked] if asked and asked not in options and not closed else [])]
    chosen = st.selectbox(
        label, known, key=name, format_func=lambda value: value or "All", bind="query-params", on_change=on_change
    )
    return chosen or None
