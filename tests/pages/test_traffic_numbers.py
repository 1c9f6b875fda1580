"""The overview's traffic: numbers against their targets, honest about too few samples, and charts without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.services import build_services
from core.settings import Settings
from core.ui.live_chart import MODULE, PLOTLY
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
Console = Callable[[], AbstractContextManager[runtime.Running]]


@pytest.fixture
def console(settings: Settings) -> Console:
    """Starts a console with targets that a test can meet and miss."""

    @contextmanager
    def start() -> Iterator[runtime.Running]:
        aims = replace(settings, target_api_p95_seconds=0.2, target_database_p95_seconds=0.04)
        with runtime.use(build_services(aims)) as running:
            wait_until(running.services.setup.finished.is_set)
            yield running

    return start


def _record(running: runtime.Running, requests: int, seconds: float) -> None:
    monitor = running.services.monitor
    for _ in range(requests):
        monitor.record("api_request_seconds", seconds, ("/api/leads",))
        monitor.record("database_query_seconds", seconds, ("leads",))
    monitor.fold()


def _page() -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=30).run()
    assert not app.exception
    return app


def _metric(app: AppTest, label: str) -> tuple[str, str]:
    metric = next(item for item in app.metric if item.label == label)
    return metric.value, metric.delta


def test_before_any_traffic(console: Console) -> None:
    """No number that looks like one: what would bring some is said in place of the chart."""
    with console():
        app = _page()

        assert _metric(app, "Requests per second")[0] == "0.0"
        assert _metric(app, "API P95") == ("—", "no samples; target 200 ms")
        assert any("No request yet" in info.value for info in app.info)


def test_numbers_stand_against_their_targets(console: Console) -> None:
    """Below one target, above the other, each with P50, P99 and the number of samples."""
    with console() as running:
        _record(running, 150, 0.1)
        app = _page()

        value, note = _metric(app, "API P95")
        assert float(value.removesuffix(" ms")) == pytest.approx(100, rel=0.01)
        assert note.startswith("below 200 ms")
        assert "n=150" in note
        assert _metric(app, "Database P95")[1].startswith("above 40 ms")


def test_too_few_samples_are_said(console: Console) -> None:
    """P95 of 19 requests is no P95."""
    with console() as running:
        _record(running, 19, 0.1)
        value, note = _metric(_page(), "API P95")

        assert value == "—"
        assert note.startswith("not enough samples for P95")
        assert "n=19" in note


def test_the_window_is_in_the_address(console: Console) -> None:
    """A link opens the same window; switching it runs the numbers again."""
    with console() as running:
        _record(running, 150, 0.1)
        app = AppTest.from_file(ROOT / "app.py", default_timeout=30)
        app.query_params["window"] = "1h"
        app.run()

        assert app.segmented_control(key="window").value == "1h"
        assert "last hour" in _metric(app, "Requests per second")[1]
        app.segmented_control(key="window").set_value("5m").run()
        assert "last 5 minutes" in _metric(app, "Requests per second")[1]


def test_without_a_browser_the_charts_stand_still(console: Console) -> None:
    """Where the component cannot load, the same lines are drawn by st.plotly_chart."""
    with console() as running:
        _record(running, 150, 0.1)
        wait_until(lambda: {"live-api-still", "live-database-still"} <= {chart.key for chart in _page().get("plotly_chart")})


def test_what_the_charts_load_is_there() -> None:
    """plotly.js comes out of the installed wheel, our module out of the repository, both named after their content."""
    assert PLOTLY.path.is_file()
    assert MODULE.path.is_file()
    assert PLOTLY.name != MODULE.name
