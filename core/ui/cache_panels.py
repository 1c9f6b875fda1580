"""The upper half of the cache page: its first line, the numbers of the window, the tiers, and the live charts."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import streamlit as st

from core.cache.coherence.backplane import BackplaneStats
from core.platform.cache_figures import CacheFigures
from core.platform.cache_overview import CacheView
from core.platform.cache_verdict import READS_NEEDED, cache_line
from core.platform.units import duration, percent, size
from core.settings import Settings
from core.ui.cache_actions import redis_switch
from core.ui.live_chart import HISTORY_WINDOWS, LiveView, live_chart
from core.ui.live_line import LiveLine
from core.ui.text import plain
from core.ui.verdict import draw_line, span

Colour = Literal["green", "red", "orange", "gray"]
WINDOWS = ("1m", "15m", "1h", *HISTORY_WINDOWS)
WINDOW = ("15m", "period")  # The default, and the name in the address.
WINDOW_WORDS = {60: "last minute", 900: "last 15 minutes", 3_600: "last hour"}
NO_READS = "No read yet: make traffic on the Overview, or call the HTTP API."
STALE_SECONDS = 10.0


def draw_verdict(view: CacheView) -> None:
    """The first line, and what to do."""
    verdict = view.verdict
    lasting = span(view.loaded_at - verdict.since) if verdict.since else ""
    draw_line(verdict.state, plain(cache_line(verdict, lasting)), verdict.next_step)


def draw_numbers(view: CacheView, settings: Settings) -> None:
    """Hit rate, time of a read, reads per second and the loaders' time saved, in the window."""
    figures = view.figures
    with st.grid(4, min_column_width=150):
        _hit_rate(figures, settings.target_cache_hit_rate)
        _read_time(figures, settings.target_cache_read_p95_seconds)
        every = figures.promised + figures.paid
        apart = [f"{count:,} {word}" for count, word in ((every.stale, "stale"), (every.errors, "errors")) if count]
        _metric(
            "Reads per second",
            f"{every.reads / figures.covered_seconds:,.1f}",
            " · ".join((f"{every.reads:,} reads", *apart)),
            help="Stale: an old value because the loader failed or was slow. Errors: Redis was away, so the loader was asked.",
        )
        _metric(
            "Loaders' time saved",
            duration(every.saved_seconds) if every.saved_seconds else "0 s",
            f"by hits; {every.load_errors:,} loads failed" if every.load_errors else "by hits",
        )
    age = f":orange[{view.age_seconds:.0f} s old]" if view.age_seconds > STALE_SECONDS else f"{view.age_seconds:.0f} s old"
    st.caption(f"The {WINDOW_WORDS[figures.window_seconds]} of this process · {_paid(figures)} · {age}")


def draw_tiers(view: CacheView) -> None:
    """Memory, Redis, the link to other processes, and whether they agree."""
    with st.grid(4, min_column_width=240):
        with st.container(border=True, height="stretch", gap="small"):
            _memory(view)
        with st.container(border=True, height="stretch", gap="small"):
            _redis(view)
        with st.container(border=True, height="stretch", gap="small"):
            _link(view.stats.link, writes=view.writes)
        with st.container(border=True, height="stretch", gap="small"):
            _agreement(view)


def draw_charts(settings: Settings, view: LiveView) -> None:
    """The hit rate, and the time that reads took."""
    rate, read = st.columns(2, gap="small")
    with rate.container(border=True):
        live_chart(
            "live-hit-rate",
            "Hit rate, Claude's families left out",
            (LiveLine("cache_answers", "share", "hit rate", ("promised", "hit"), against=("promised", "miss")),),
            unit="%",
            view=view,
            target=settings.target_cache_hit_rate,
            target_name="at least",
            empty=NO_READS,
            alt="Line chart of the share of reads that were answered without a loader, in percent.",
        )
    with read.container(border=True):
        live_chart(
            "live-cache-read",
            "Time of a read that hit",
            tuple(LiveLine("cache_read_seconds", name, name.upper()) for name in ("p50", "p95", "p99")),
            unit="ms",
            view=view,
            target=settings.target_cache_read_p95_seconds,
            target_name="P95",
            empty=NO_READS,
            alt="Line chart of P50, P95 and P99 of the time that reads from memory and Redis took, in milliseconds.",
        )


def _hit_rate(figures: CacheFigures, target: float) -> None:
    reads = figures.promised
    count, rate = reads.hits + reads.missed, reads.hit_rate
    if rate is None or count < READS_NEEDED:
        note = f"{count:,} of {READS_NEEDED} reads needed" if count else f"no reads; target {target:.0%}"
        _metric("Hit rate", percent(rate), note)
        return
    kept = rate >= target
    note = f"{'above' if kept else 'below'} {target:.0%} · {reads.missed:,} missed"
    _metric("Hit rate", percent(rate), note, colour="green" if kept else "red", help="Answered without the loader.")


def _read_time(figures: CacheFigures, target: float) -> None:
    read = figures.read
    if read.p95 is None:
        note = f"not enough samples · n={read.count:,}" if read.count else f"no samples; target {duration(target)}"
        _metric("Read P95", "—", note)
        return
    kept = read.p95 < target
    note = f"{'below' if kept else 'above'} {duration(target)} · P99 {duration(read.p99)}"
    _metric("Read P95", duration(read.p95), note, colour="green" if kept else "red", help="Of hits in memory and in Redis.")


def _metric(
    label: str,
    value: str,
    note: str,
    *,
    colour: Literal["green", "red", "off"] = "off",
    help: str | None = None,
) -> None:
    st.metric(label, value, note, delta_color=colour, delta_arrow="off", border=True, height="stretch", help=help)


def _paid(figures: CacheFigures) -> str:
    paid = figures.paid
    if not paid.reads:
        return "Claude's families (lead_analysis, property_description) count apart: no reads"
    return f"Claude's families count apart: {percent(paid.hit_rate)} of {paid.hits + paid.missed:,} reads hit"


def _head(title: str, word: str, colour: Colour) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{title}**", width="content")
        st.badge(word, color=colour, width="content")


def _memory(view: CacheView) -> None:
    memory, figures = view.stats.memory, view.figures
    share = memory.size_bytes / memory.max_bytes
    _head("Memory", f"{memory.entries:,} values", "gray")
    st.progress(min(1.0, share), text=f"{size(memory.size_bytes)} of {size(memory.max_bytes)}")
    ghost = figures.ghost_share
    twice = f"; twice the memory would have answered {ghost:.1%} of what it passed on" if ghost else ""
    st.caption(f"{figures.evictions:,} evicted, {figures.refused:,} too large to hold{twice} · this process")


def _redis(view: CacheView) -> None:
    status, breaker = view.redis_status, view.stats.breaker
    word, colour = _redis_state(view)
    _head("Redis", word, colour)
    stats = view.redis.value
    if stats is not None and stats.used_bytes is not None:
        used = (
            f"{size(stats.used_bytes)} of {size(stats.max_bytes)}" if stats.max_bytes else f"{size(stats.used_bytes)}, no limit"
        )
        st.progress(min(1.0, stats.used_bytes / stats.max_bytes) if stats.max_bytes else 0.0, text=used)
    elif stats is not None:
        st.markdown(f"Memory not known: {stats.note}")
    ping = status.latencies_seconds[-1] if status.latencies_seconds else None
    parts = (
        f"{stats.keys:,} keys" if stats else "",
        f"when full: {stats.policy}" if stats and stats.policy else "",
        f"ping {duration(ping)}" if ping is not None else "no answer to the last ping",
        f"checked {span(view.loaded_at - status.checked_at)} ago" if status.checked_at else "",
        f"{breaker.refused:,} calls spared" if breaker.refused else "",
        f"next try in {breaker.retry_in_seconds:.1f} s" if breaker.retry_in_seconds is not None else "",
        _waiting(view),
        f":orange[memory and keys {view.redis.age_seconds:.0f} s old]" if view.redis.error and stats else "",
    )
    st.caption(" · ".join(part for part in parts if part))
    redis_switch(breaker.state)


def _redis_state(view: CacheView) -> tuple[str, Colour]:
    state = view.stats.breaker.state
    if not view.writes:
        return "only watched", "orange"
    if state == "forced_open":
        return "kept away by hand", "orange"
    if state in ("open", "half_open"):
        return f"left alone {span(view.loaded_at - view.stats.breaker.since)}", "red"
    return ("no answer", "red") if view.redis_status.state == "down" else ("in use", "green")


def _waiting(view: CacheView) -> str:
    outbox = view.stats.outbox
    if outbox.everything:
        return ":orange[everything is deleted when it is back]"
    waiting = [f"{count:,} {word}" for count, word in ((outbox.keys, "keys"), (outbox.tags, "tags")) if count]
    return f":orange[{' and '.join(waiting)} wait to be removed]" if waiting else ""


def _link(link: BackplaneStats, *, writes: bool) -> None:
    words: dict[str, tuple[str, Colour]] = {
        "found": ("heard", "green"), "lost": ("lost", "red"), "starting": ("starting", "orange"), "closed": ("closed", "gray"),
    }  # fmt: skip
    word, colour = words[link.state] if writes else ("not used", "gray")
    _head("Other processes", f"{word} {span(timedelta(seconds=link.since_seconds))}" if writes else word, colour)
    count = f"**{link.processes}** {'process' if link.processes == 1 else 'processes'} heard, this one included"
    st.markdown(count if link.processes else "Nobody is heard")
    parts = (
        f"own heartbeat {duration(link.heartbeat_age_seconds)} ago" if link.heartbeat_age_seconds is not None else "",
        f"echo {duration(link.echo_seconds)}" if link.echo_seconds is not None else "",
        f"lost {link.losses}x since the start" if link.losses else "never lost",
        plain(link.problem) if link.state == "lost" else "",
    )
    st.caption(
        " · ".join(part for part in parts if part) if writes else "Nothing is written to this Redis, so nothing is told."
    )


def _agreement(view: CacheView) -> None:
    drift = view.stats.drift
    colour: Colour = "gray" if not drift.compared else "red" if drift.different else "green"
    _head("Agreement", "no sample yet" if not drift.compared else f"{drift.different:,} differ", colour)
    st.markdown(f"**{drift.different:,}** of **{drift.compared:,}** compared in the last hour")
    st.caption("20 values of memory are compared with Redis every five seconds; one that differs twice is dropped and logged.")
