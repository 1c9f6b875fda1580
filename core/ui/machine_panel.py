"""This machine: what the container or machine has and uses, what this process takes of it, and whether anything waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from core.monitor import Recorder
from core.monitor.history.writer import WriterStats
from core.monitor.system.machine import Used
from core.monitor.system.system import DEAR_SECONDS, SystemSnapshot
from core.platform.units import duration, percent, size
from core.ui.live_chart import LiveView, live_chart
from core.ui.live_line import LiveLine
from core.ui.session import services
from core.ui.text import plain
from core.ui.verdict import clock, span

# A run costs 3 ms before it draws anything; what changes by the second is in the charts, which are polled.
NUMBERS_EVERY, FIRST_EVERY = "30s", "2s"
NUMBERS_EVERY = "10s"  # What moves from second to second is in the charts, which cost no run.
LATE_SECONDS = 5.0  # A look is taken each second.
NO_LOOK = "Nothing is known yet: the first look at the machine takes a second."


def this_machine(view: LiveView) -> None:
    """The numbers, renewed while they are looked at, and their charts."""
    st.subheader("This machine", anchor=False)
    st.fragment(_numbers, run_every=NUMBERS_EVERY if services().system.snapshot() else FIRST_EVERY)()
    _charts(view)


def _numbers() -> None:
    seen, now = services().system.snapshot(), datetime.now(UTC)
    if seen is None:
        st.info(NO_LOOK, icon=":material/hourglass_empty:")
        return
    with st.grid(3, min_column_width=220):
        of = "the container's limit" if seen.cpus_limited else "all processors"
        _metric("CPU", percent(seen.cpu_share), f"of {seen.cpus:g}, {of}")
        _used("Memory", seen.memory, "the container's limit" if seen.memory_limited else "the machine's")
        _process(seen)
        _used("Disk", seen.disk, "of the data folder")
        _waiting(seen)
        _pauses(services().monitor)
    st.caption(_ages(seen, services().history.stats(), now))


def _charts(view: LiveView) -> None:
    load, process = st.columns(2, gap="small")
    with load.container(border=True):
        live_chart(
            "live-machine",
            "CPU and memory in use",
            (
                LiveLine("system_cpu_share", "p50", "CPU"),
                LiveLine("process_cpu_share", "p50", "CPU of this process"),
                LiveLine("system_memory_used_share", "p50", "memory"),
            ),
            unit="%",
            view=view,
            empty=NO_LOOK,
            alt="Line chart of the processors and the memory in use, in percent of what may be used.",
        )
    with process.container(border=True):
        live_chart(
            "live-pauses",
            "Lag of the services' loop",
            tuple(LiveLine("loop_lag_seconds", name, name.upper()) for name in ("p50", "p95", "p99")),
            unit="ms",
            view=view,
            empty=NO_LOOK,
            alt="Line chart of P50, P95 and P99 of how late the timers of the services' loop fire, in milliseconds.",
        )


def _used(label: str, used: Used | None, whose: str) -> None:
    if used is None:
        _metric(label, "—", "cannot be read")
        return
    _metric(label, percent(used.share), f"{size(used.used_bytes)} of {size(used.limit_bytes)}, {whose}")


def _process(seen: SystemSnapshot) -> None:
    of = f" of {seen.files_limit:,}" if seen.files_limit else ""
    parts = [f"CPU {percent(seen.process_cpu_share)}", f"{_count(seen.threads)} threads", f"{_count(seen.files)}{of} files"]
    _metric("This process", "—" if seen.rss_bytes is None else size(seen.rss_bytes), " · ".join(parts))


def _waiting(seen: SystemSnapshot) -> None:
    pressure = seen.pressure
    named = {"CPU": pressure.cpu, "memory": pressure.memory, "disk": pressure.io}
    known = {name: share for name, share in named.items() if share is not None}
    if not known:
        _metric("Waits", "—", "this kernel does not say")
        return
    worst = max(known, key=known.__getitem__)
    others = " · ".join(f"{name} {percent(share)}" for name, share in known.items() if name != worst)
    words = "Share of the last ten seconds in which some work waited for it (pressure stall information of the kernel)."
    _metric(f"Waits for {worst}", percent(known[worst]), others or "nothing else is known", help=words)


def _pauses(monitor: Recorder) -> None:
    lag, collector = monitor.total("loop_lag_seconds", 300), monitor.total("gc_pause_seconds", 300)
    note = f"longest {duration(lag.max)} · GC {collector.count:,}x, longest {duration(collector.max)}"
    words = "P95 of how late the timers of the services' loop fire, and the pauses of Python's collector; last 5 minutes."
    _metric("Loop lag P95", duration(lag.p95), note, help=words)


def _ages(seen: SystemSnapshot, history: WriterStats, now: datetime) -> str:
    age = max(timedelta(), now - seen.taken_at)
    late = age.total_seconds() > LATE_SECONDS
    dear = f"disk and {_count(seen.processes)} processes {span(now - seen.dear_at)} (looked at each {DEAR_SECONDS:.0f} s)"
    parts = (
        f":orange[{span(age)} old: the last look has not ended]" if late else f"at {clock(seen.taken_at, now)}",
        dear,
        f"network {_rate(seen.received_bytes_per_second)} in, {_rate(seen.sent_bytes_per_second)} out",
        f":orange[cannot be read: {plain(', '.join(seen.missing))}]" if seen.missing else "",
        _kept(history),
    )
    return " · ".join(part for part in parts if part)


def _kept(history: WriterStats) -> str:
    lost = "".join(f", {count:,} {word}" for count, word in ((history.dropped, "lost"), (history.refused, "refused")) if count)
    if history.error:
        return f":orange[history waits, {history.waiting:,} rows{lost}: {plain(history.error)}]"
    return f"history {history.written:,} rows written{lost}"


def _rate(bytes_per_second: float | None) -> str:
    return "—" if bytes_per_second is None else f"{size(bytes_per_second)}/s"


def _count(number: int | None) -> str:
    return "—" if number is None else f"{number:,}"


def _metric(label: str, value: str, note: str, *, help: str | None = None) -> None:
    st.metric(label, value, note, delta_color="off", delta_arrow="off", border=True, height="stretch", help=help)
