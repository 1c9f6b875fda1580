"""The metrics as Prometheus itself reads them: its own parser, every metric that there is, and labels of any characters."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from core import runtime
from core.api.prometheus import METRICS
from core.monitor import Recorder
from tests.support import wait_until

CORE = Path(__file__).parents[2] / "core"
TAKES = {"record", "count", "gauge", "handle", "_count"}
ODD = 'a "b" \\ c\nd\u2028é{}=,'


def families(text: str) -> dict[str, Metric]:
    """By name; each must be there once."""
    found = list(text_string_to_metric_families(text))
    assert [name for name, times in Counter(family.name for family in found).items() if times > 1] == []
    return {family.name: family for family in found}


def recorded_names() -> set[str]:
    """The first argument of every call that records, where it is written out."""
    calls = (
        node for file in CORE.rglob("*.py") for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
    )
    named = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in TAKES and call.args)
    values = (call.args[0].value for call in named if isinstance(call.args[0], ast.Constant))
    return {value for value in values if isinstance(value, str) and "_" in value}


def test_every_metric_is_described() -> None:
    """What the code records has its label names and a sentence."""
    assert recorded_names() - METRICS.keys() == set()


def test_all_of_them_are_read_by_the_official_parser(api: TestClient) -> None:
    """Counters end in _total, summaries agree with their count, no family is there twice, and labels come back as they were."""
    monitor = runtime.get().services.monitor
    api.get("/api/markets")
    # Not every kernel tells the pressure.
    looked = {name for name in METRICS if name.startswith(("system_", "process_"))} - {"system_pressure"}
    wait_until(lambda: looked <= families(api.get("/metrics").text).keys())
    for name, metric in METRICS.items():
        labels = tuple(f"{ODD}{number}" for number in range(len(metric.labels)))
        if name.endswith("_seconds") and name != "alerts_tick_age_seconds":
            for number in range(100):
                monitor.record(name, number / 100, labels)
        elif name not in looked | {item.metric for item in monitor.gauges()}:
            monitor.count(name, 3, labels)
    wait_until(lambda: 'route="/api/markets"' in api.get("/metrics").text)
    wait_until(lambda: monitor.total("gc_pause_seconds", 300).count >= 100)
    answer = api.get("/metrics")
    found = families(answer.text)

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {item.type for item in found.values()} == {"gauge", "counter", "summary"}
    for name, metric in METRICS.items():
        family = found[name]
        assert family.documentation == metric.help
        odd = [sample for sample in family.samples if ODD in "".join(sample.labels.values())]
        for sample in odd:
            assert [sample.labels[label] for label in metric.labels] == [f"{ODD}{at}" for at in range(len(metric.labels))]
        assert odd or not metric.labels or name in looked | {"system_pressure"}
    assert [sample.name for sample in found["api_errors"].samples] == ["api_errors_total"]
    assert sums(found["database_query_seconds"]) == {"0.5": 0.49, "0.95": 0.94, "0.99": 0.98, "sum": 49.5, "count": 100.0}


def sums(family: Metric) -> dict[str, float]:
    """The samples of the odd label, by quantile or by the end of their name; to the 1 % of a quantile."""
    odd = [sample for sample in family.samples if ODD in sample.labels["query"]]
    return {
        sample.labels.get("quantile") or sample.name.rpartition("_")[2]: pytest.approx(sample.value, rel=0.011)
        for sample in odd
    }


def test_what_is_counted_is_since_the_start() -> None:
    """Counts and sums never go down, so that a rate can be made of them."""
    recorder = Recorder()
    for _ in range(2):
        recorder.count("cache_hits", 2, ("leads", "memory"))
        recorder.record("api_request_seconds", 0.5, ("/api/leads",))
        recorder.fold()

    counted = {item.metric: (item.kind, item.count, item.total) for item in recorder.since_start()}
    assert counted == {"cache_hits": ("counter", 4, 4.0), "api_request_seconds": ("distribution", 2, 1.0)}
