"""Prometheus: the recorder's last five minutes as exposition text (version 0.0.4).

Everything is a gauge over a window, and named so: the recorder keeps windows, not totals since the start.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.monitor import MetricsSnapshot, SeriesSnapshot
from core.services import Services

WINDOW_SECONDS = 300
STATES = ("starting", "up", "down")
LABEL_NAMES = {
    "api_request_seconds": ("route",),
    "api_claude_request_seconds": ("route",),
    "api_errors": ("route", "status"),
    "api_claude_errors": ("route", "status"),
    "database_query_seconds": ("query",),
    "database_errors": ("query",),
    "database_slow_queries": ("query",),
    "system_network_bytes": ("way",),
}


def exposition(services: Services) -> str:
    """The text of `GET /metrics`."""
    snapshot = services.monitor.snapshot(WINDOW_SECONDS)
    return "\n".join([*_dependencies(services), *_distributions(snapshot), *_counters(snapshot), ""])


def _dependencies(services: Services) -> Iterator[str]:
    yield "# HELP dependency_up Whether the server answers its pings."
    yield "# TYPE dependency_up gauge"
    for status in services.health.snapshot():
        yield f'dependency_up{{name="{_escaped(status.name)}"}} {int(status.state == "up")}'


def _distributions(snapshot: MetricsSnapshot) -> Iterator[str]:
    for metric in sorted({item.metric for item in snapshot.series}):
        series = [item for item in snapshot.series if item.metric == metric]
        yield f"# HELP {metric}_window Quantiles of the last {WINDOW_SECONDS} s; absent where there are too few samples."
        yield f"# TYPE {metric}_window gauge"
        for item in series:
            yield from _quantiles(item)
        yield f"# HELP {metric}_window_count Samples of the last {WINDOW_SECONDS} s."
        yield f"# TYPE {metric}_window_count gauge"
        for item in series:
            yield f"{metric}_window_count{_labels(metric, item.labels)} {item.count}"


def _quantiles(item: SeriesSnapshot) -> Iterator[str]:
    for quantile, value in (("0.5", item.p50), ("0.95", item.p95), ("0.99", item.p99)):
        if value is not None:
            yield f"{item.metric}_window{_labels(item.metric, item.labels, quantile=quantile)} {value:.9g}"


def _counters(snapshot: MetricsSnapshot) -> Iterator[str]:
    for metric in sorted({item.metric for item in snapshot.counters}):
        yield f"# HELP {metric}_window_delta How far the counter moved in the last {WINDOW_SECONDS} s."
        yield f"# TYPE {metric}_window_delta gauge"
        for item in snapshot.counters:
            if item.metric == metric:
                yield f"{metric}_window_delta{_labels(metric, item.labels)} {item.delta}"


def _labels(metric: str, values: tuple[str, ...], **further: str) -> str:
    names = LABEL_NAMES.get(metric, tuple(f"label_{number}" for number in range(len(values))))
    pairs = [*zip(names, values, strict=False), *further.items()]
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
