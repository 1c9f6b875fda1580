"""One run of a prompt on a page: its answer, its numbers, what is wrong with it, and what to do where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic_core
import streamlit as st

from core.claude.prompt_run import PromptRun
from core.platform.units import duration
from core.ui.text import plain


def rehearsal_badge() -> None:
    """The word that stands on everything that was rehearsed."""
    st.badge("REHEARSAL", color="violet", icon=":material/theater_comedy:", width="content")


def cost_words(cost_usd: float | None) -> str:
    """Dollars; what is not known is said."""
    return "not known" if cost_usd is None else f"{cost_usd:.6f} dollars"


def draw_text(text: str, *, structured: bool) -> None:
    """An answer, whole or in the making: fields where it is JSON, paragraphs where it is text."""
    if not structured:
        st.markdown("\n\n".join(plain(part) for part in text.split("\n\n")))
        return
    try:
        value = pydantic_core.from_json(text, allow_partial="trailing-strings") if text.strip() else {}
    except ValueError:
        st.code(text, language=None, wrap_lines=True)  # No JSON at all: then this is what has to be seen.
        return
    draw_value(value)


def draw_value(value: Any) -> None:
    """The fields of an answer."""
    if not isinstance(value, Mapping):
        st.markdown(plain(str(value)))
        return
    st.markdown("  \n".join(f":gray[{plain(str(name))}] {_field(one)}" for name, one in value.items()))


def draw_numbers(run: PromptRun) -> None:
    """Times, tokens, cost and validity."""
    usage = run.usage
    cached = f", {usage.cache_read_tokens:,} cached" if usage.cache_read_tokens else ""
    thinking = f", {usage.thinking_tokens:,} thinking" if usage.thinking_tokens else ""
    facts = {
        "First token": duration(run.first_token_seconds),
        "Total": duration(run.duration_seconds),
        "Tokens in": f"{usage.all_input_tokens:,}{cached}",
        "Tokens out": f"{usage.output_tokens:,}{thinking}",
        "Cost": cost_words(run.cost_usd),
        "Fits its schema": {True: "yes", False: "NO", None: "—"}[run.schema_valid],
    }
    with st.grid(3, min_column_width=100):
        for label, value in facts.items():
            st.markdown(f":small[:gray[{label}]]  \n{plain(value)}")


def draw_faults(run: PromptRun, faults: Sequence[str]) -> None:
    """What our checks object to; that they object to nothing is said too."""
    if run.outcome != "ok":
        return
    if faults:
        lines = "\n".join(f"- {plain(fault)}" for fault in faults)
        st.warning(f"Our checks object, and nothing was repaired:\n{lines}", icon=":material/rule:")
    else:
        st.caption(":material/check: Passes schema and checks." if run.schema_valid else ":material/check: Passes our checks.")


def draw_failure(run: PromptRun, next_step: str) -> None:
    """Why there is no answer, and what to do."""
    if run.outcome == "stopped":
        st.warning("Stopped: what had arrived is incomplete, and what it costs nobody can tell.", icon=":material/stop_circle:")
    elif run.outcome != "ok":
        advice = f"\n\n**Next:** {plain(next_step)}" if next_step else ""
        st.error(f"**{plain(run.outcome.replace('_', ' '))}**: {plain(run.error)}{advice}", icon=":material/error:")


def _field(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"  \n• {plain(str(item))}" for item in value)
    return f"**{plain(str(value))}**"
