"""The report on a set: whether one text is better than the other, how fast and at what cost, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.claude.prompt_run import PromptRun
from core.platform.prompt_report import FEW, FieldComparison, Report, Spread, TextFigures
from core.platform.units import duration
from core.ui.prompt_answer import cost_words, rehearsal_badge
from core.ui.text import plain

TABLE_PIXELS = 280


def draw_report(report: Report, runs: Sequence[PromptRun]) -> None:
    """The judgement in sentences, a row for each text, and the answers that differ."""
    if any(run.rehearsal for run in runs):
        with st.container(horizontal=True, vertical_alignment="center"):
            rehearsal_badge()
            st.caption(
                "Times and answers are rehearsed: they say how this page works, not which text is better.", width="content"
            )
    st.markdown("  \n".join(sentences(report)))
    st.dataframe(
        [_row(text) for text in report.texts], hide_index=True, width="stretch",
        alt="Table with a row for each text: shares that fit and pass, times with their numbers of runs, cost and tokens.",
    )  # fmt: skip
    if any(text.total is not None and text.total.n < FEW for text in report.texts):
        st.caption(f"With fewer than {FEW} answers the P95 is the slowest one, or nearly.")
    if report.fields:
        _fields(report)


def sentences(report: Report) -> tuple[str, ...]:
    """What the figures say, in words."""
    if len(report.texts) != 2:
        return ()
    before, after = report.texts
    first = (
        f"**{plain(after.label.capitalize())} against {plain(before.label)}:** {_share(after.answered, after.runs)} answered "
        f"against {_share(before.answered, before.runs)}; {_share(after.sound, after.answered)} pass our checks against "
        f"{_share(before.sound, before.answered)}."
    )
    lines = [first]
    if before.total is not None and after.total is not None:
        lines.append(
            f"Median {duration(after.total.p50)} against {duration(before.total.p50)}; a run costs "
            f"{cost_words(after.mean_cost_usd)} against {cost_words(before.mean_cost_usd)}."
        )
    lines += [_number_words(one) for one in report.fields if one.numeric]
    words = [f"{_name(one)} for {one.agreement:.0%} of {len(one.pairs)}" for one in report.fields if not one.numeric]
    return (*lines, f"The same word: {', '.join(words)} inputs.") if words else tuple(lines)


def _number_words(one: FieldComparison) -> str:
    return (
        f"{_name(one).capitalize()}: {one.mean_difference:+.1f} on average, {one.mean_distance:.1f} apart on average "
        f"({len(one.pairs)} inputs), the same for {one.agreement:.0%}."
    )


def _name(one: FieldComparison) -> str:
    return plain(one.field.replace("_", " "))


def _row(text: TextFigures) -> dict[str, object]:
    failures = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in text.outcomes.items())
    return {
        "Text": text.label,
        "Answered": _share(text.answered, text.runs),
        "Fit the schema": _share(text.valid, text.checked),
        "Pass our checks": _share(text.sound, text.answered),
        "First token P50 / P95": _spread(text.first_token),
        "Total P50 / P95": _spread(text.total),
        "Mean cost, dollars": "—" if text.mean_cost_usd is None else f"{text.mean_cost_usd:.6f} (n {text.costs_known})",
        "Tokens in / out": "—"
        if text.mean_tokens_in is None
        else f"{text.mean_tokens_in:,.0f} / {text.mean_tokens_out or 0:,.0f}",
        "Failures": failures or "none",
    }


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "—"


def _spread(spread: Spread | None) -> str:
    return "—" if spread is None else f"{duration(spread.p50)} / {duration(spread.p95)} (n {spread.n})"


def _fields(report: Report) -> None:
    before, after = (text.label for text in report.texts)
    inputs: dict[str, dict[str, object]] = {}
    for one in report.fields:
        for pair in one.pairs:
            row = inputs.setdefault(pair.given, {"Lead": pair.given})
            name = one.field.replace("_", " ")
            same = pair.before == pair.after
            row[name] = f"{pair.before}" if same else f"{pair.before} → {pair.after}"
    with st.expander(f"Each input: {before} → {after}", icon=":material/table_rows:"):
        st.dataframe(
            list(inputs.values()), hide_index=True, width="stretch", height=min(TABLE_PIXELS, 37 + 35 * len(inputs)),
            alt="Table of the inputs with what each text says of them; an arrow stands where they differ.",
        )  # fmt: skip
