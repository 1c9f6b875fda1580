"""Prometheus: what the recorder counted, as exposition text (version 0.0.4).

A distribution is a summary: quantiles of the last five minutes, absent where there are too few samples, with the count and the
sum since this process began. Counters are since then too. What is also a gauge is told as that gauge only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from core.monitor import SeriesSnapshot
from core.monitor.windows import GaugeSnapshot, Labels, SinceStart
from core.platform.server_figure import ServerFigure
from core.services import Services

WINDOW_SECONDS = 300


class Metric(NamedTuple):
    """The names of a metric's labels in their order, and what it says."""

    labels: tuple[str, ...]
    help: str


METRICS = {
    "alerts_tick_age_seconds": Metric((), "Time between the last two judgements of the rules."),
    "api_claude_errors": Metric(("route", "status"), "Requests of Claude's routes that were answered with an error."),
    "api_claude_request_seconds": Metric(("route",), "Time of requests that may wait for Claude."),
    "api_errors": Metric(("route", "status"), "Requests that were answered with an error."),
    "api_request_seconds": Metric(("route",), "Time of requests."),
    "cache_answers": Metric(("promise", "outcome"), "Reads that count towards a promised hit rate."),
    "cache_errors": Metric(("family",), "Reads that had no answer."),
    "cache_evictions": Metric((), "Entries that made room for others in memory."),
    "cache_ghost_hits": Metric((), "Misses of what was evicted shortly before."),
    "cache_hits": Metric(("family", "tier"), "Reads that were answered without a load."),
    "cache_load_errors": Metric(("family",), "Loads that failed."),
    "cache_load_seconds": Metric(("family",), "Time of loads."),
    "cache_misses": Metric(("family", "reason"), "Reads that needed a load."),
    "cache_negatives": Metric(("family",), "Reads of what is known to be absent."),
    "cache_read_seconds": Metric(("family", "tier"), "Time of reads that a tier answered."),
    "cache_refused": Metric((), "Entries that memory did not take."),
    "cache_saved_seconds": Metric(("family",), "Time that the loads of hits had taken."),
    "cache_stale": Metric(("family", "reason"), "Reads that were answered with an old value."),
    "claude_answer_seconds": Metric(("scope", "lane", "how"), "Time that an ask waited for its answer."),
    "claude_answers": Metric(("scope", "outcome"), "What became of asks."),
    "claude_asks": Metric(("lane", "outcome"), "Asks that the scheduler ended."),
    "claude_concurrency_limit": Metric((), "Sends that may be under way at once."),
    "claude_first_token_seconds": Metric(("scope",), "Time to the first piece of an answer."),
    "claude_in_flight": Metric((), "Sends that are under way."),
    "claude_queue_seconds": Metric(("lane",), "Time that asks waited for their turn."),
    "claude_waiting": Metric((), "Asks that wait for their turn."),
    "database_errors": Metric(("query",), "Queries that failed."),
    "database_query_seconds": Metric(("query",), "Time of queries."),
    "database_slow_queries": Metric(("query",), "Queries that took longer than is promised."),
    "database_wait_seconds": Metric((), "Time that queries waited for a connection."),
    "gc_pause_seconds": Metric((), "Pauses of Python's collector."),
    "loop_lag_seconds": Metric((), "How late the event loop is."),
    "process_cpu_share": Metric((), "CPU of this process, of all that it may use."),
    "process_files": Metric((), "Open files of this process."),
    "process_rss_bytes": Metric((), "Memory of this process."),
    "process_rss_gigabytes": Metric((), "Memory of this process, over time."),
    "process_threads": Metric((), "Threads of this process."),
    "system_cpu_share": Metric((), "CPU of the machine or the container."),
    "system_disk_used_share": Metric((), "Disk of DATA_DIR in use."),
    "system_memory_used_share": Metric((), "Memory of the machine or the container in use."),
    "system_network_bytes": Metric(("way",), "Bytes over the network."),
    "system_pressure": Metric(("resource",), "Share of the last ten seconds in which something waited for it."),
    "system_processes": Metric((), "Processes of the machine."),
}

# What the servers say of all their users, by the rule that it stands beside.
WHOLE_SERVER = {
    "database_p95": ("whole_server_database_statement_mean_seconds", "Mean time of statements of all programs."),
    "database_pool": ("whole_server_database_connections_share", "Connections of all programs, of max_connections."),
    "cache_hit_rate": ("whole_server_redis_hit_share", "Lookups of all programs that Redis had an answer for."),
    "cache_read_p95": ("whole_server_redis_command_mean_seconds", "Mean time of commands of all programs."),
}


def exposition(services: Services) -> str:
    """The text of `GET /metrics`."""
    monitor = services.monitor
    snapshot, counted = monitor.snapshot(WINDOW_SECONDS), monitor.since_start()
    gauges = {item.metric for item in snapshot.gauges}
    recent = {(item.metric, item.labels): item for item in snapshot.series}
    lines = list(_dependencies(services))
    lines += _whole_server(services.whole_server.figures())
    lines += _gauges(snapshot.gauges)
    lines += _counters(item for item in counted if item.kind == "counter")
    lines += _summaries((item for item in counted if item.kind == "distribution" and item.metric not in gauges), recent)
    return "\n".join([*lines, ""])


def _dependencies(services: Services) -> Iterator[str]:
    yield "# HELP dependency_up Whether the server answers its pings."
    yield "# TYPE dependency_up gauge"
    for status in services.health.snapshot():
        yield f'dependency_up{{name="{_escaped(status.name)}"}} {int(status.state == "up")}'


def _whole_server(figures: Mapping[str, ServerFigure]) -> Iterator[str]:
    for rule, (name, text) in WHOLE_SERVER.items():
        figure = figures.get(rule)
        if figure is not None and figure.value is not None:
            yield f"# HELP {name} {text}"
            yield f"# TYPE {name} gauge"
            yield f"{name} {figure.value:.9g}"


def _gauges(gauges: Iterable[GaugeSnapshot]) -> Iterator[str]:
    for metric, series in groupby(gauges, lambda item: item.metric):
        yield from _head(metric, metric, "gauge")
        for item in series:
            yield f"{metric}{_labels(metric, item.labels)} {item.value:.9g}"


def _counters(counters: Iterable[SinceStart]) -> Iterator[str]:
    for metric, series in groupby(counters, lambda item: item.metric):
        yield from _head(metric, f"{metric}_total", "counter")
        for item in series:
            yield f"{metric}_total{_labels(metric, item.labels)} {item.count}"


def _summaries(distributions: Iterable[SinceStart], recent: Mapping[tuple[str, Labels], SeriesSnapshot]) -> Iterator[str]:
    for metric, series in groupby(distributions, lambda item: item.metric):
        yield from _head(metric, metric, "summary")
        for item in series:
            if (found := recent.get((metric, item.labels))) is not None:
                yield from _quantiles(found)
            yield f"{metric}_sum{_labels(metric, item.labels)} {item.total:.12g}"
            yield f"{metric}_count{_labels(metric, item.labels)} {item.count}"


def _quantiles(item: SeriesSnapshot) -> Iterator[str]:
    for quantile, value in (("0.5", item.p50), ("0.95", item.p95), ("0.99", item.p99)):
        if value is not None:
            yield f"{item.metric}{_labels(item.metric, item.labels, quantile=quantile)} {value:.9g}"


def _head(metric: str, name: str, kind: str) -> Iterator[str]:
    if metric in METRICS:
        yield f"# HELP {name} {METRICS[metric].help}"
    yield f"# TYPE {name} {kind}"


def _labels(metric: str, values: Labels, **further: str) -> str:
    names = METRICS[metric].labels if metric in METRICS else ()
    names = names if len(names) >= len(values) else tuple(f"label_{number}" for number in range(len(values)))
    pairs = [*zip(names, values, strict=False), *further.items()]
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
