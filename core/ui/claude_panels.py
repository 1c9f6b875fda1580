"""The upper half of the Claude page: its first line, what is in the way, and the numbers of the window."""

from __future__ import annotations

import math
from typing import Literal

import streamlit as st

from core.claude.rehearsal import DialValues
from core.platform.claude_figures import ClaudeFigures
from core.platform.claude_overview import ClaudeView
from core.platform.claude_verdict import ANSWERS_NEEDED, READS_NEEDED, claude_line
from core.platform.units import dollars, duration, percent
from core.settings import Settings
from core.ui.live_chart import HISTORY_WINDOWS
from core.ui.text import plain
from core.ui.verdict import draw_line, span

WINDOWS = ("1m", "15m", "1h", *HISTORY_WINDOWS)
WINDOW = ("15m", "period")  # The default, and the name in the address.
WINDOW_WORDS = {60: "last minute", 900: "last 15 minutes", 3_600: "last hour"}
STALE_SECONDS = 10.0


def draw_verdict(view: ClaudeView) -> None:
    """The first line, and what to do."""
    verdict = view.verdict
    lasting = span(view.loaded_at - verdict.since) if verdict.since else ""
    draw_line(verdict.state, plain(claude_line(verdict, lasting)), verdict.next_step)


def draw_notices(view: ClaudeView) -> None:
    """What else is in the way, a sentence each, and that answers are rehearsed."""
    for notice in view.notices:
        sentence = f"{notice.reason[:1].upper()}{notice.reason[1:]}."
        icon = ":material/error:" if notice.broken else ":material/warning:"
        draw = st.error if notice.broken else st.warning
        draw(f"{plain(sentence)} **Next:** {notice.next_step}", icon=icon)
    if view.dials is not None:
        st.info(
            "**REHEARSAL**: no key is set, so nothing is asked of Claude and nothing is paid. Answers, tokens and dollars are"
            f" rehearsed. *Dials* below turn its speed and faults.\n\n:small[{plain(_dial_words(view.dials))}]",
            icon=":material/theater_comedy:",
        )


def draw_numbers(view: ClaudeView, settings: Settings) -> None:
    """What people waited, what was kept, what got no answer, and what today cost."""
    figures = view.figures
    with st.grid(4, min_column_width=150):
        _wait(figures, settings.target_claude_mean_seconds, rehearsal=view.rehearsal)
        _hit_rate(figures, settings.target_claude_hit_rate)
        _unanswered(figures)
        _spent(view)
    age = view.recorder_age_seconds
    said = f":orange[{age:.0f} s old]" if age > STALE_SECONDS else f"{age:.0f} s old"
    token = figures.first_token
    first = f"first token P50 {duration(token.p50)}, P95 {duration(token.p95)}, n={token.count:,}" if token.count else ""
    ways = ", ".join(f"{item.count:,} {item.kind}" for item in figures.answered)
    parts = (f"The {WINDOW_WORDS[figures.window_seconds]} of this process", ways, first, said)
    st.caption(" · ".join(part for part in parts if part))


def _dial_words(dials: DialValues) -> str:
    faults = [f"{percent(share)} {word}" for word, share in dials.faults.shares() if share]
    speed = f"{dials.tokens_per_second:,.0f} tokens a second" if math.isfinite(dials.tokens_per_second) else "no limit of speed"
    limits = (
        ("requests", dials.requests_per_minute),
        ("tokens in", dials.input_tokens_per_minute),
        ("tokens out", dials.output_tokens_per_minute),
    )
    most = ", ".join(f"{limit:,.0f} {name}" for name, limit in limits if limit is not None)
    return f"First token after {duration(dials.first_token_seconds)} · {speed} · faults: {', '.join(faults) or 'none'} · " + (
        f"at most {most} a minute" if most else "no rate limits"
    )


def _wait(figures: ClaudeFigures, target: float, *, rehearsal: bool) -> None:
    mean, count = figures.mean_seconds, figures.samples
    label, help = "Mean wait of people", "Of answers made, joined or kept, from the ask to the last word."
    if mean is None:
        _metric(label, "—", "nobody waited" if rehearsal else f"nobody waited; target {duration(target)}", help=help)
    elif rehearsal:
        _metric(label, duration(mean), f"rehearsed, not judged · n={count:,}", help=help)
    elif count < ANSWERS_NEEDED:
        _metric(label, duration(mean), f"{count:,} of {ANSWERS_NEEDED} answers needed", help=help)
    else:
        kept = mean < target
        note = f"{'below' if kept else 'above'} {duration(target)} · n={count:,}"
        _metric(label, duration(mean), note, colour="green" if kept else "red", help=help)


def _hit_rate(figures: ClaudeFigures, target: float) -> None:
    rate, count = figures.hit_rate, figures.hits + figures.misses
    help = "Reads of the families lead_analysis and property_description that were answered without asking."
    if rate is None or count < READS_NEEDED:
        note = f"{count:,} of {READS_NEEDED} reads needed" if count else f"no reads; target {target:.0%}"
        _metric("AI hit rate", percent(rate), note, help=help)
        return
    kept = rate >= target
    note = f"{'above' if kept else 'below'} {target:.0%} · {figures.misses:,} missed"
    _metric("AI hit rate", percent(rate), note, colour="green" if kept else "red", help=help)


def _unanswered(figures: ClaudeFigures) -> None:
    asks = figures.answers + figures.failed
    most = f" · most: {figures.failures[0].kind.replace('_', ' ')}" if figures.failures else ""
    note = f"of {asks:,} asks{most}" if asks else "nothing was asked"
    colour: Literal["red", "off"] = "red" if figures.failed else "off"
    _metric("Without an answer", f"{figures.failed:,}", note, colour=colour, help="Show Errors below says what each means.")


def _spent(view: ClaudeView) -> None:
    budget, today = view.stats.budget, view.today
    cost = today.value.total.cost_usd if today.value is not None else None
    whose = "rehearsed, of" if view.rehearsal else "of"
    note = f"{whose} {dollars(budget.limit_usd)} a day"
    if today.error:
        note = f"{today.age_seconds:.0f} s old · {note}" if cost is not None else f"not known · {note}"
    colours: dict[str, Literal["red", "off"]] = {"fine": "off", "warning": "red", "used_up": "red"}
    help = "By the ledger: exchanges whose price is known. Show Costs below has the rest."
    _metric("Cost today (UTC)", dollars(cost), note, colour=colours[budget.state], help=help)


def _metric(
    label: str, value: str, note: str, *, colour: Literal["green", "red", "off"] = "off", help: str | None = None
) -> None:
    st.metric(label, value, note, delta_color=colour, delta_arrow="off", border=True, height="stretch", help=help)
