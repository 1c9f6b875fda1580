"""Claude's analysis of a lead on a page: as it comes, as it stands, why there is none, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pydantic_core
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.claude.messages import Answer
from core.platform.lead_analyses import AnalysedLead
from core.platform.lead_analysis import merged
from core.platform.panel import within
from core.platform.units import duration
from core.ui.lead_ask import Asked, ask, asked_before, begin, follow, key_of, stop
from core.ui.lead_panels import draw_judgement, draw_numbers, draw_recommendations
from core.ui.session import run, services
from core.ui.text import plain
from core.ui.verdict import clock, span

MISSES = {
    "cold": "nobody had asked about a lead like this one",
    "expired": "the kept answer was past its time",
    "evicted": "the kept answer had been evicted",
    "invalidated": "the kept answer had been removed",
    "unusable": "the kept answer does not pass the checks of this version",
    "error": "Redis did not answer, so nothing kept was found",
}
BADGES = {
    "claude": ("Claude", "blue", "auto_awesome"),
    "cache": ("Claude, kept answer", "blue", "inventory_2"),
    "rehearsal": ("REHEARSAL", "violet", "theater_comedy"),
    "stale": ("old answer", "orange", "history"),
    "rules": ("no answer", "orange", "rule"),
}


def draw_analysis(by_rules: AnalysedLead, box: DeltaGenerator, *, on_opening: bool) -> AnalysedLead | None:
    """Show what is known, or ask and show it as it comes; returns the analysis once there is one."""
    with box:
        head, body = st.container(horizontal=True, vertical_alignment="center"), st.empty()
        with head:
            st.markdown("**Claude says**", width="content")
            badge, button = st.empty(), st.empty()
    running = begin(by_rules, on_opening=on_opening)
    if running is not None:
        if by_rules.rehearsal:
            badge.badge("REHEARSAL", color="violet", icon=":material/theater_comedy:", width="content")
        button.button("Stop", key="lead_stop", icon=":material/stop:", on_click=stop, shortcut="Esc")
        asked: Asked | None = follow(running, by_rules, lambda text: _arriving(body, text))
    else:
        asked = asked_before(by_rules)
    _badge(badge, asked, by_rules.rehearsal)
    label, fresh = ("Ask again", True) if asked is not None and asked.found is not None else ("Ask Claude", False)
    button.button(
        label, key="lead_ask", icon=":material/refresh:" if fresh else ":material/auto_awesome:", on_click=ask,
        args=(key_of(by_rules), fresh), type="secondary" if fresh else "primary",
    )  # fmt: skip
    with body.container():
        _drawn(asked)
    return asked.found if asked is not None else None


def partial(text: str) -> Mapping[str, Any]:
    """The fields of an answer of which only the beginning has arrived."""
    try:
        value = pydantic_core.from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _arriving(body: DeltaGenerator, text: str) -> None:
    with body.container():
        if text:
            value = partial(text)
            draw_numbers(value)
            draw_recommendations(value.get("recommendations"))
        else:
            draw_numbers({})
        st.caption(":material/hourglass: The answer comes in." if text else ":material/hourglass: Waiting for the first words.")


def _badge(place: DeltaGenerator, asked: Asked | None, rehearsal: bool) -> None:
    source = "" if asked is None else "" if asked.found is None else asked.found.source
    if rehearsal and source in ("", "rehearsal"):
        source = "rehearsal"
    if source:
        words, colour, icon = BADGES[source]
        words = f"REHEARSAL, {words}" if rehearsal and source != "rehearsal" else words
        place.badge(words, color=colour, icon=f":material/{icon}:", width="content")  # type: ignore[arg-type]
    else:
        place.empty()


def _drawn(asked: Asked | None) -> None:
    if asked is None:
        st.caption("Claude was not asked about this lead; the rules' judgement stands beside.")
        return
    now = datetime.now(UTC)
    if asked.found is None:
        _arrived(asked)
        return
    found = asked.found
    if found.answer is None:
        if found.failure is not None:
            st.warning(
                f"{plain(found.failure.message)}\n\n**Next:** {plain(found.failure.next_step)}", icon=":material/cloud_off:"
            )
        st.caption(f"Asked {span(now - asked.at)} ago. The rules' judgement stands alone.")
        return
    _answered(found, found.answer, now - asked.at)


def _arrived(asked: Asked) -> None:
    value = partial(asked.text)
    if value:
        draw_numbers(value)
        draw_recommendations(value.get("recommendations"))
    what = "What had arrived is incomplete." if value else "Nothing had arrived."
    st.warning(f"Stopped. {what}", icon=":material/stop_circle:")


def _answered(found: AnalysedLead, answer: Answer, shown_for: timedelta) -> None:
    analysis = found.analysis
    if answer.source == "stale":
        age = span(timedelta(seconds=answer.age_seconds))
        st.warning(
            f"This answer is {age} old: a new one failed ({plain(answer.cache_reason)}). It holds for leads like this one "
            "all the same; ask again later.",
            icon=":material/history:",
        )
    draw_judgement(analysis)
    _beside(found)
    st.caption(f"{cache_words(answer)} Read {span(shown_for)} ago.")
    with st.expander("How it was made", icon=":material/receipt_long:"):
        _made(found, answer)
    earlier = st.expander("Earlier answers to this prompt", icon=":material/history:", on_change="rerun", key="lead_earlier")
    if earlier.open:
        with earlier:
            _earlier(answer.prompt_hash)


def _beside(found: AnalysedLead) -> None:
    """What code puts beside the answer: it was in no prompt."""
    market = found.subject.market
    view = merged(
        found.analysis,
        {**found.subject.lead, **({"market_name": market.name} if market else {})},
        figures=market.lines() if market else (),
    )
    parts = [view.name or "", f"budget {view.budget}" if view.budget else "", view.market_name or "", *view.market_figures]
    known = [plain(part) for part in parts if part]
    if known:
        st.markdown(f":small[:gray[Beside it, by code and in no prompt:] {' · '.join(known)}]")


def cache_words(answer: Answer) -> str:
    """Whether it is a kept answer, why, and how old it is."""
    age = span(timedelta(seconds=answer.age_seconds))
    if answer.cache_outcome == "stale":
        return f"An old answer, {age} old: {answer.cache_reason or 'a new one failed'}."
    if answer.cache_outcome == "hit":
        return f"Kept answer, {age} old: a lead like this one was asked about before, so this cost nothing."
    if not answer.attempts:
        return "Shared with somebody who asked the same at this moment, so this cost nothing."
    if not answer.cache_outcome:
        return "Newly made: it was asked for again."
    why = MISSES.get(answer.cache_reason, answer.cache_reason)
    return f"Newly made: {why}." if why else "Newly made."


def _made(found: AnalysedLead, answer: Answer) -> None:
    st.markdown(
        "Leads like this one have the same canonical form, and share its answer. This is all that the prompt says of it:"
    )
    st.code(found.canonical.text, language=None, wrap_lines=True)
    with st.grid(3, min_column_width=130):
        for label, value in _figures(answer).items():
            st.markdown(f":small[:gray[{label}]]  \n{plain(value)}")
    for attempt in answer.attempts:
        status = f", status {attempt.status}" if attempt.status else ""
        st.caption(
            f"Attempt: {plain(attempt.outcome)}{status}, {duration(attempt.duration_seconds)}, "
            f"request {plain(attempt.request_id) or 'without an id'}"
        )
    st.caption(f"Prompt hash `{answer.prompt_hash}`")


def _figures(answer: Answer) -> Mapping[str, str]:
    """What an answer took; one that was kept took nothing."""
    usage, rehearsed = answer.usage, " of rehearsed money" if answer.rehearsal else ""
    figures = {
        "Model": answer.model,
        "Prompt": f"{answer.prompt_name}, version {answer.prompt_version}",
        "Made at": clock(answer.answered_at, datetime.now(UTC)),
    }
    if not answer.attempts:
        return figures | {"Cost": "nothing: it was kept" if answer.cache_outcome != "miss" else "nothing: it was shared"}
    return figures | {
        "First token": duration(answer.first_token_seconds),
        "Total": duration(answer.duration_seconds),
        "Waited in the queue": duration(answer.queue_seconds),
        "Tokens in": f"{usage.all_input_tokens:,}"
        + (f", {usage.cache_read_tokens:,} cached" if usage.cache_read_tokens else ""),
        "Tokens out": f"{usage.output_tokens:,}" + (f", {usage.thinking_tokens:,} thinking" if usage.thinking_tokens else ""),
        "Cost": f"{answer.cost_usd:.5f} dollars{rehearsed}",
        "Repairs": str(answer.repairs),
    }


def _earlier(prompt_hash: str) -> None:
    panel = run(within(services().platform.answers.recent(prompt_hash)))
    if panel.value is None:
        st.warning(f"They cannot be read: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
        return
    if not panel.value:
        st.caption(
            "None is stored: an answer is written a moment after it was made, and only where the platform's tables may be."
        )
        return
    now = datetime.now(UTC)
    rows = [
        {
            "Answered": f"{span(now - row['created_at'])} ago",
            "Intent": (value := _stored_value(row["response"])).get("intent_score"),
            "Timeline": value.get("buying_timeline"),
            "Recommendations": [str(text) for text in value.get("recommendations") or ()],
            "Model": row["model_version"],
            "Source": row["source"],
        }
        for row in panel.value
    ]
    st.dataframe(rows, hide_index=True, width="stretch", alt="Table of the newest answers to this prompt.")
    st.caption(f"The newest {len(rows)} that the platform stored, read now.")


def _stored_value(response: Any) -> Mapping[str, Any]:
    """The value of a row of ai_responses; nothing where another program wrote it otherwise."""
    try:
        row = orjson.loads(response) if isinstance(response, str | bytes) else response
    except orjson.JSONDecodeError:
        return {}
    value = row.get("value") if isinstance(row, dict) else None
    return value if isinstance(value, dict) else {}
