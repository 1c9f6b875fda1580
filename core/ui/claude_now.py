"""Claude now, in four cards: the queue, the API's limits, the breaker in front of it, and the budget."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import streamlit as st

from core.claude.messages import Lane
from core.claude.scheduler import Headroom, SchedulerStats
from core.platform.claude_overview import ClaudeView
from core.platform.units import duration, percent
from core.ui.budget_bar import budget_bar, budget_words
from core.ui.claude_actions import breaker_switch, hold_switch
from core.ui.text import plain
from core.ui.verdict import clock, span

Colour = Literal["green", "red", "orange", "gray"]
LANES: tuple[tuple[Lane, str], ...] = (("interactive", "people"), ("background", "background"))
KINDS = {"requests": "requests", "input_tokens": "input", "output_tokens": "output", "tokens": "tokens"}
LOW_SHARE = 0.1  # The scheduler soon has to wait.


def draw_now(view: ClaudeView) -> None:
    """What waits, what the API still allows, whether it is asked, and what may still be spent."""
    with st.grid(4, min_column_width=220):
        with st.container(border=True, height="stretch", gap="small"):
            _queue(view)
        with st.container(border=True, height="stretch", gap="small"):
            _limits(view.stats.scheduler)
        with st.container(border=True, height="stretch", gap="small"):
            _breaker(view)
        with st.container(border=True, height="stretch", gap="small"):
            _budget(view)


def _head(title: str, word: str, colour: Colour) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{title}**", width="content")
        st.badge(word, color=colour, width="content")


def _queue(view: ClaudeView) -> None:
    scheduler = view.stats.scheduler
    held = bool(scheduler.hold_seconds_left)
    word = "background held" if held else f"{scheduler.queued:,} waiting"
    _head("Queue", word, "orange" if held or scheduler.queued else "gray")
    share = min(1.0, scheduler.in_flight / scheduler.limit)
    st.progress(share, text=f"{scheduler.in_flight} in flight of {scheduler.limit}, at most {scheduler.limit_max}")
    st.markdown(_waiting(scheduler))
    parts = (
        f"oldest {duration(scheduler.oldest_seconds)}" if scheduler.queued else "nobody waits",
        f"{scheduler.following:,} follow a leader" if scheduler.following else "",
        f"{scheduler.resting:,} before another attempt" if scheduler.resting else "",
        f"takes {scheduler.queue_max:,}",
        f":orange[{_hold_words(view)}]" if held else "",
    )
    st.caption(" · ".join(part for part in parts if part))
    hold_switch(scheduler)


def _waiting(scheduler: SchedulerStats) -> str:
    """Each lane with its priorities, where somebody waits."""
    lines = []
    for lane, words in LANES:
        waiting = [item for item in scheduler.waiting if item.lane == lane and item.asks]
        each = ", ".join(f"{item.asks:,} {item.priority}" for item in waiting)
        lines.append(f"{words}: **{sum(item.asks for item in waiting):,}** wait{each and f' ({each})'}")
    return "  \n".join(lines)


def _hold_words(view: ClaudeView) -> str:
    scheduler = view.stats.scheduler
    until = clock(view.loaded_at + timedelta(seconds=scheduler.hold_seconds_left), view.loaded_at)
    return f"held until {until}" + (f" by {plain(scheduler.hold_by)}" if scheduler.hold_by else "")


def _limits(scheduler: SchedulerStats) -> None:
    shares = [item.remaining / item.capacity for item in scheduler.headroom if item.capacity]
    lowest = min(shares, default=None)
    if scheduler.paused:
        _head("Rate limits", "paused", "red")
    elif lowest is None:
        _head("Rate limits", "not known", "gray")
    else:
        _head("Rate limits", f"{percent(lowest)} left", "orange" if lowest < LOW_SHARE else "green")
    for pause in scheduler.paused:
        st.markdown(f":red[{plain(pause.model)} is left alone for another {duration(pause.seconds_left)}] (retry-after)")
    if not scheduler.headroom:
        st.caption("The API tells its limits with each answer; there was none yet in this process.")
    for model in dict.fromkeys(item.model for item in scheduler.headroom):
        lines = [_limit_words(item) for item in scheduler.headroom if item.model == model]
        st.markdown("  \n".join((f":small[{plain(model)}, per minute]", *lines)))
    if scheduler.headroom:
        told = duration(round(min(item.age_seconds for item in scheduler.headroom), 1))
        st.caption(f"Told by the API {told} ago, less what was sent since.")


def _limit_words(item: Headroom) -> str:
    left = f"{KINDS[item.kind]} **{_short(item.remaining)}** of {_short(item.limit)}"
    words = left if item.full_in_seconds < 1 else f"{left}, full in {duration(round(item.full_in_seconds))}"
    return f":orange[{words}]" if item.remaining < LOW_SHARE * item.capacity else words


def _short(number: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= 10 * size or (number >= size and unit == "M"):
            return f"{number / size:,.3g}{unit}"
    return f"{number:,.0f}"


def _breaker(view: ClaudeView) -> None:
    scheduler = view.stats.scheduler
    breaker, counters = scheduler.breaker, scheduler.counters
    words: dict[str, tuple[str, Colour]] = {
        "closed": ("asked", "green"), "open": ("left alone", "red"), "half_open": ("tried again", "orange"),
        "forced_open": ("kept away by hand", "orange"), "forced_closed": ("asked, by hand", "orange"),
    }  # fmt: skip
    _head("Claude's API", *words[breaker.state])
    who = "rehearsed" if view.rehearsal else "asked"
    st.markdown(f"**{plain(view.stats.model)}** {who}, breaker {breaker.state.replace('_', ' ')}")
    st.caption(f"since {span(view.loaded_at - breaker.since)} · {breaker.failures:,} of {breaker.calls:,} calls failed lately")
    parts = (
        f"next try in {breaker.retry_in_seconds:.0f} s" if breaker.retry_in_seconds is not None else "",
        f"last error: {plain(breaker.last_error)}" if breaker.last_error else "",
        f"{counters.refused_by_breaker:,} asks spared" if counters.refused_by_breaker else "",
        f"{counters.retries:,} retries, {counters.rate_limited:,} times 429, {counters.overloaded:,} times 529",
        f"{counters.fallbacks:,} by the fallback model" if counters.fallbacks else "",
    )
    st.caption(" · ".join(part for part in parts if part) + " since the start")
    breaker_switch(breaker.state)


def _budget(view: ClaudeView) -> None:
    budget = view.stats.budget
    words: dict[str, tuple[str, Colour]] = {
        "fine": ("fine", "green"), "warning": ("nearly used up", "orange"), "used_up": ("used up", "red"),
    }  # fmt: skip
    _head("Budget today", *(("not checked", "red") if budget.store_error else words[budget.state]))
    budget_bar(budget)
    st.caption(budget_words(budget, view.loaded_at))
