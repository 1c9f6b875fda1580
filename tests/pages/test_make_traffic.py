"""Make traffic on the overview: the line to copy, start, watch, cancel, the last report, and a target that is not embedded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.services import build_services
from core.settings import Settings
from tests.load.platform_server import PlatformServer
from tests.support import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[PlatformServer]:
    """What stands in for the console's own API."""
    with PlatformServer() as running:
        yield running


@pytest.fixture
def console(settings: Settings, server: PlatformServer) -> Iterator[runtime.Running]:
    """A console whose own port is the server's."""
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    with runtime.use(build_services(Settings(**{**fields, "port": server.port}))) as running:
        wait_until(running.services.setup.finished.is_set)
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        yield running


def _page() -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=30).run()
    assert not app.exception
    return app


def _text(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.error, app.warning, app.success, app.info)
    return "\n".join(element.value for kind in kinds for element in kind)


def _lines(app: AppTest) -> str:
    return "\n".join(element.value for element in app.code)


def _started(app: AppTest, console: runtime.Running, seconds: int) -> AppTest:
    app.number_input("traffic_duration").set_value(seconds)
    app.text_input("traffic_target").set_value(console.services.settings.target_name)
    app.run()
    return app.button("traffic_start").click().run()


def test_the_line_follows_the_fields(console: runtime.Running, server: PlatformServer) -> None:
    """What is shown is what would run."""
    app = _page()
    app.number_input("traffic_users").set_value(300)
    app.checkbox("traffic_events").set_value(True)
    app.run()

    assert f"python -m core load --users 300 --think 5 --duration 60 --url {server.url} --events" in _lines(app)
    assert "60.0 requests/s wanted" in _text(app)


def test_too_much_is_refused_before_it_starts(console: runtime.Running) -> None:
    """A plan beyond the bounds has no start button."""
    app = _page()
    app.number_input("traffic_users").set_value(2_000)
    app.number_input("traffic_think").set_value(0.1)
    app.number_input("traffic_duration").set_value(3_600)
    app.run()

    assert "1,000,000 at most" in _text(app)
    assert "traffic_start" not in {button.key for button in app.button}


def test_a_target_that_is_not_embedded_asks_for_its_name(console: runtime.Running, server: PlatformServer) -> None:
    """Start without it says what to type, and starts nothing."""
    app = _page()
    app.button("traffic_start").click().run()

    assert f"Type its name to allow it: {console.services.settings.target_name}" in _text(app)
    assert console.services.traffic.running() is None
    assert server.asked == []


def test_start_watch_and_report(console: runtime.Running) -> None:
    """A load that runs is shown to any session; when it is over, its report stays."""
    app = _started(_page(), console, 2)
    assert "started by local operator" in _text(app)
    assert "started by local operator" in _text(_page())
    wait_until(lambda: console.services.traffic.running() is None, 30)

    text = _text(_page())
    assert "**Last load:** 200 users, think 5 s, for 2 s" in text
    assert "N = X (R + Z)" in text
    assert "requests/s" in text


def test_cancel(console: runtime.Running) -> None:
    """A load of an hour ends at once, and the page says who ended it."""
    app = _started(_page(), console, 3_600)
    running = console.services.traffic.running()
    assert running is not None
    app.button(f"cancel-now-{running.id}").click().run()
    wait_until(lambda: console.services.traffic.running() is None, 30)

    assert "cancelled" in _text(_page())
