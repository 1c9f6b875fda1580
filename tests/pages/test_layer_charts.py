"""The overview's charts: the window in the address, and what stands there where no browser can load them."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.settings import Settings
from core.ui.live_chart import MODULE, PLOTLY
from tests.pages.opened import console
from tests.support import wait_until

ROOT = Path(__file__).parents[2]


def test_charts_without_a_browser(settings: Settings) -> None:
    """Each says what would bring something; with traffic the same lines stand still, in the window of the address."""
    with console(settings) as running:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=30)
        app.query_params["window"] = "1h"
        app.run()
        assert app.segmented_control(key="window").value == "1h"
        assert any("No request yet" in info.value for info in app.info)
        assert any("No ask yet" in info.value for info in app.info)

        for _ in range(150):
            running.services.monitor.record("api_request_seconds", 0.1, ("/api/leads",))
            running.services.monitor.record("cache_read_seconds", 0.001, ("leads", "memory"))
        running.services.monitor.fold()
        app.segmented_control(key="window").set_value("5m")
        wait_until(
            lambda: {"live-api-still", "live-cache-read-still"} <= {chart.key for chart in app.run().get("plotly_chart")}
        )


def test_what_the_charts_load_is_there() -> None:
    """plotly.js comes out of the installed wheel, our module out of the repository, both named after their content."""
    assert PLOTLY.path.is_file()
    assert MODULE.path.is_file()
    assert PLOTLY.name != MODULE.name
