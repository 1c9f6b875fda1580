"""The history on the prompts page: every run, looked for, opened, noted, run again and exported."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from core.claude.prompt_run import PromptRun
from core.claude.prompt_run_export import to_csv, to_json_lines
from core.claude.prompt_runs import RunFilter
from core.platform.panel import within
from core.ui.address import forget, number
from core.ui.prompt_replay import draw_run
from core.ui.session import run, services
from core.ui.text import plain
from core.ui.verdict import local

PAGE, EXPORT_MOST, EXPORT_SECONDS = 50, 2_000, 30.0
TABLE_PIXELS = 317
OUTCOMES = (
    "ok", "stopped", "down", "timeout", "rate_limited", "overloaded", "over_budget", "bad_request", "model_retired", "refused",
    "truncated", "thinking_only", "cut_stream", "invalid", "held",
)  # fmt: skip
COLUMNS = {
    "Run": st.column_config.NumberColumn(format="%d", width=60, pinned=True),
    "When": st.column_config.DatetimeColumn(format="D MMM HH:mm:ss", width=120),
    "Prompt": st.column_config.TextColumn(width=130),
    "Text": st.column_config.TextColumn(width=110),
    "Lead": st.column_config.TextColumn(width=65),
    "Outcome": st.column_config.TextColumn(width=95),
    "Of": st.column_config.TextColumn(width=95),
    "Fits": st.column_config.TextColumn(width=55, help="Whether the answer fits the schema"),
    "First, s": st.column_config.NumberColumn(format="%.2f", width=65),
    "Total, s": st.column_config.NumberColumn(format="%.2f", width=65),
    "Dollars": st.column_config.NumberColumn(format="%.6f", width=85),
    "Answer": st.column_config.TextColumn(width="large"),
    "By": st.column_config.TextColumn(width=110),
}


def draw_history(name: str) -> None:
    """The filters, the table, pages, exports, and the run that the address names."""
    wanted = _filters(name)
    panel = run(within(services().claude_parts.runs.search(wanted, limit=PAGE + 1, before_id=number("before_run"))))
    late = services().claude_parts.runs.stats().waiting
    if late:
        st.info(f"{late} runs wait for the store, and are written when it is back.", icon=":material/hourglass:")
    if panel.value is None:
        st.warning(f"The history cannot be read: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
        return
    found, more = panel.value[:PAGE], len(panel.value) > PAGE
    if found:
        _table(found)
        _paging(found, more, wanted)
    elif wanted != RunFilter(prompt=name) or number("before_run"):
        st.info("No run is like this.", icon=":material/filter_alt_off:")
    else:
        st.info("Nothing of this prompt was run yet: Run tries it on a lead.", icon=":material/science:")
    if (chosen := number("run")) is not None:
        draw_run(chosen)


def _filters(name: str) -> RunFilter:
    """What is wanted, which the address carries."""
    with st.grid(4, min_column_width=130):
        text = st.text_input(
            "In answer, error, note or values", key="run_text", bind="query-params", type="search", on_change=_newest,
            max_chars=200,
        )  # fmt: skip
        every = st.selectbox(
            "Prompt", ["this", "all"], key="run_prompt", bind="query-params", on_change=_newest,
            format_func=lambda word: name if word == "this" else "All prompts",
        )  # fmt: skip
        version = st.number_input(
            "Version", 1, None, None, key="run_version", bind="query-params", placeholder="All", on_change=_newest
        )
        outcome = st.selectbox(
            "Outcome", ["", *OUTCOMES], key="run_outcome", bind="query-params", on_change=_newest,
            format_func=lambda word: word.replace("_", " ") or "All",
        )  # fmt: skip
        since = st.date_input("From", None, key="run_since", bind="query-params", on_change=_newest)
        until = st.date_input("To", None, key="run_until", bind="query-params", on_change=_newest)
    return RunFilter(
        text=text.strip() or None,
        prompt=name if every == "this" else None,
        version=int(version) if version is not None else None,
        outcome=outcome or None,
        since=_midnight(since) if isinstance(since, date) else None,
        until=_midnight(until + timedelta(days=1)) if isinstance(until, date) else None,
    )


def _midnight(day: date) -> datetime:
    """The beginning of a day where the browser is."""
    zone = local(datetime.now(UTC)).tzinfo
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _newest() -> None:
    forget("before_run")


def _table(runs: Sequence[PromptRun]) -> None:
    ids = [one.id for one in runs]
    key = f"runs-{ids[0]}-{len(ids)}"
    chosen = number("run")
    st.dataframe(
        [_row(one) for one in runs],
        key=key, hide_index=True, column_config=COLUMNS, placeholder="", height=min(TABLE_PIXELS, 37 + 35 * len(ids)),
        selection_mode="single-row", selection_default={"selection": {"rows": [ids.index(chosen)] if chosen in ids else []}},
        on_select=lambda: _select(ids, key),
        alt="Table of runs: number, time, prompt, text, lead, outcome, times, cost, answer.",
    )  # fmt: skip


def _row(one: PromptRun) -> dict[str, object]:
    return {
        "Run": one.id,
        "When": local(one.created_at).replace(tzinfo=None),
        "Prompt": one.prompt_name,
        "Text": one.label,
        "Lead": one.lead_id or "",
        "Outcome": one.outcome.replace("_", " "),
        "Of": "REHEARSAL" if one.rehearsal else "Claude",
        "Fits": {True: "yes", False: "NO", None: ""}[one.schema_valid],
        "First, s": one.first_token_seconds,
        "Total, s": one.duration_seconds,
        "Dollars": one.cost_usd,
        "Answer": " ".join((one.answer_text or one.error).split())[:300],
        "By": one.operator,
    }


def _select(ids: Sequence[int], widget: str) -> None:
    rows = st.session_state[widget].selection.rows
    if rows:
        st.query_params["run"] = str(ids[rows[0]])
    else:
        forget("run")


def _paging(found: Sequence[PromptRun], more: bool, wanted: RunFilter) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        older = {"before_run": str(found[-1].id)}
        st.button("Older", icon=":material/chevron_left:", on_click=st.query_params.update, args=(older,), disabled=not more)
        st.button("Newest", icon=":material/last_page:", on_click=_newest, disabled=number("before_run") is None)
        for label, kind, mime, write in (
            ("JSON lines", "jsonl", "application/jsonl", to_json_lines),
            ("CSV", "csv", "text/csv", to_csv),
        ):
            st.download_button(
                label, _exported(write, wanted), f"prompt_runs.{kind}", mime, icon=":material/download:", on_click="ignore",
                key=f"export_{kind}", help=f"The newest {EXPORT_MOST:,} of what the filters let through.",
            )  # fmt: skip


def _exported(write: Callable[[AsyncIterable[PromptRun]], AsyncIterator[bytes]], wanted: RunFilter) -> Callable[[], bytes]:
    async def collected() -> bytes:
        return b"".join([piece async for piece in write(services().claude_parts.runs.export(wanted, EXPORT_MOST))])

    return lambda: run(collected(), EXPORT_SECONDS)
