"""Two tables of the Claude page: what failed asks of the window mean, and the models with their prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.claude.costs import Price
from core.platform.claude_errors import claude_error, meaning
from core.platform.claude_figures import ClaudeFigures
from core.platform.claude_overview import ModelRow, ModelsView
from core.platform.units import dollars
from core.ui.claude_panels import WINDOW_WORDS
from core.ui.text import plain

_text = st.column_config.TextColumn
_price = _text(help="Dollars for a million tokens")


def draw_errors(figures: ClaudeFigures) -> None:
    """Each kind of failed ask in the window, the most frequent first."""
    asks = figures.answers + figures.failed
    if not figures.failures:
        words = f"All {asks:,} asks" if asks else "Nothing was asked: no ask"
        st.info(f"{words} of the {WINDOW_WORDS[figures.window_seconds]} failed." if not asks else f"{words} got an answer.")
        return
    st.dataframe(
        [
            {
                "Kind": item.kind.replace("_", " "),
                "Asks": item.count,
                "Share": 100 * item.count / asks,
                "Means": meaning(item.kind),
                "Next": claude_error(item.kind).default_next_step,
            }
            for item in figures.failures
        ],
        key=f"claude-errors-{len(figures.failures)}",
        hide_index=True,
        column_config={
            "Kind": _text(pinned=True, width=110),
            "Asks": st.column_config.NumberColumn(format="localized", width=60),
            "Share": st.column_config.NumberColumn(format="%.1f %%", width=70),
            "Means": _text(width="large"),
            "Next": _text(width="large"),
        },
        alt="Table of the kinds of failed asks with their number, their meaning and the next step.",
    )
    st.caption(
        f"Asks of the {WINDOW_WORDS[figures.window_seconds]} of this process that got no answer after all attempts; "
        "single attempts that failed stand in Costs."
    )


def draw_models(view: ModelsView) -> None:
    """The models, those in use first."""
    unpriced = [row.model.id for row in view.rows if row.price is None and (row.use or row.model.lifecycle != "retired")]
    st.dataframe(
        [_row(row) for row in view.rows],
        key=f"claude-models-{len(view.rows)}",
        hide_index=True,
        height="content",
        column_config={
            "Model": _text(pinned=True, width=190),
            "Use": _text(width=70),
            "Retires": _text(width=85),
            "Thinking": _text(width=140),
            "Input": _price,
            "Output": _price,
            "Cache read": _price,
            "Most output": _text(help="Tokens"),
        },
        alt="Table of the models: use, lifecycle, retirement, efforts, thinking and prices.",
    )
    source = f"the dated table of {view.table_date}: the API's own list was not read yet"
    if view.live:
        source = "the rehearsal's list" if view.rehearsal else "the API's own list, read every hour"
    priced = f"No price is known of {', '.join(unpriced)}: a budget counts a dear stand-in." if unpriced else ""
    st.caption(f"From {source}. Set CLAUDE\\_MODEL to choose another. {plain(priced)}")


def _row(row: ModelRow) -> Mapping[str, Any]:
    model, price = row.model, row.price
    return {
        "Model": model.id,
        "Use": row.use,
        "Lifecycle": model.lifecycle,
        "Retires": model.retires_at.isoformat() if model.retires_at is not None else "",
        "Efforts": _listed(model.efforts),
        "Thinking": _listed(model.thinking),
        **_prices(price),
        "Price as of": price.as_of.isoformat() if price is not None else "no price known",
        "Most output": f"{model.max_output_tokens:,}" if model.max_output_tokens else "not known",
    }


def _prices(price: Price | None) -> Mapping[str, str]:
    each = (None, None, None) if price is None else (price.input, price.output, price.cache_read)
    return {name: dollars(usd) for name, usd in zip(("Input", "Output", "Cache read"), each, strict=True)}


def _listed(words: tuple[str, ...] | None) -> str:
    return "not known" if words is None else ", ".join(word.replace("_", " ") for word in words) or "none"
