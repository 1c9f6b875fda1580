"""The first line without Streamlit, and the metrics as Prometheus reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime
from core.api import build_routes
from core.services import build_services
from core.settings import Settings
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

SAMPLE = re.compile(r'^[a-z_]+(\{([a-z_0-9]+="([^"\\]|\\.)*",?)*\})? -?[0-9.e+-]+$')


def test_status_is_the_first_line_in_a_small_page(api: TestClient) -> None:
    """Title and heading say it, the page renews itself, and nothing of Streamlit is in it."""
    wait_until(lambda: "<title>Cannot tell: the console has just started</title>" in api.get("/status").text)
    page = api.get("/status")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "streamlit" not in page.text.lower()


def test_status_says_what_is_wrong_and_what_to_do(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """A dependency that is down makes it a 503 with the next step."""
    proxy = tcp_proxy(str(settings.redis_url).removeprefix("unix://").partition("?")[0])
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    with runtime.use(build_services(Settings(**fields | {"redis_url": f"redis://127.0.0.1:{proxy.port}/0"}))):
        client = TestClient(Starlette(routes=build_routes(runtime.get)))
        wait_until(lambda: client.get("/status").status_code == 200)
        proxy.cut()
        wait_until(lambda: "Redis does not answer" in client.get("/status").text)

        page = client.get("/status")
        assert (page.status_code, "<b>Next:</b>" in page.text) == (503, True)


def test_metrics_are_exposition_text(api: TestClient) -> None:
    """Every line is a comment or a sample; what was asked is counted by its route."""
    for _ in range(3):
        api.get("/healthz")
    wait_until(lambda: 'api_request_seconds_count{route="/healthz"} ' in api.get("/metrics").text)
    wait_until(lambda: "\nwhole_server_database_connections_share 0.0" in api.get("/metrics").text)

    answer = api.get("/metrics")
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert [line for line in lines if not line.startswith("# ") and not SAMPLE.match(line)] == []
    assert 'dependency_up{name="postgresql"} 1' in lines
