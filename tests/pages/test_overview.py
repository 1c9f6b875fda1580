"""The overview page: healthy, empty, a dependency down, and its guard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import runtime
from core.services import build_services
from core.settings import Settings
from tests.servers import execute
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

ROOT = Path(__file__).parents[2]


@contextmanager
def _console(settings: Settings) -> Iterator[runtime.Running]:
    with runtime.use(build_services(settings)) as running:
        wait_until(running.services.setup.finished.is_set)
        wait_until(lambda: running.services.overview.verdict().state == "fine")
        yield running


def _page() -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=30).run()
    assert not app.exception
    return app


def _text(app: AppTest) -> str:
    kinds = (app.title, app.markdown, app.caption, app.subheader, app.error, app.warning, app.info)
    return "\n".join(element.value for kind in kinds for element in kind)


@pytest.fixture
def market(database_url: str) -> None:
    """One market with two months of prices, analysed."""
    execute(
        database_url,
        "INSERT INTO markets (id, market_name, state, source, note) VALUES ('austin', 'Austin', 'TX', 'A source', 'A note.');"
        "INSERT INTO market_data (market_id, data_type, date_recorded, value) VALUES"
        " ('austin', 'median_price', '2015-01-01', 200000), ('austin', 'median_price', '2015-02-01', 210000); ANALYZE",
    )


@pytest.mark.usefixtures("market")
def test_healthy(settings: Settings) -> None:
    """All servers up: the line says fine since when, the cards and the chart are there."""
    with _console(settings):
        app = _page()

        assert "Fine since" in app.title[0].value
        text = _text(app)
        assert "**PostgreSQL** 18" in text
        assert "**Redis**" in text
        assert {metric.label for metric in app.metric} >= {"Ping, ms", "Leads", "Interactions", "Properties", "Market figures"}
        assert next(metric.value for metric in app.metric if metric.label == "Market figures") == "2"
        assert "market-prices" in [chart.key for chart in app.get("plotly_chart")]
        assert "A source. A note." in text


def test_empty(settings: Settings) -> None:
    """No rows: zeros are zeros, and the missing chart says where figures come from; so does a window of hours."""
    with _console(settings) as running:
        wait_until(lambda: running.services.system.snapshot() is not None)
        app = _page()

        assert next(metric.value for metric in app.metric if metric.label == "Leads") == "0"
        assert "no market figures yet" in _text(app)
        assert {metric.label for metric in app.metric} >= {"CPU", "Memory", "This process", "Disk", "Loop lag P95"}
        assert ":gray[:material/radio_button_unchecked:] There is data to look at" in _text(app)

        app.session_state["window"] = "6h"
        assert "Nothing in this window yet: the history begins now." in _text(app.run())


def test_redis_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The first line and the card say what is down and what to do; the rest of the page stays."""
    proxy = tcp_proxy(str(settings.redis_url).removeprefix("unix://").partition("?")[0])
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    with _console(Settings(**{**fields, "redis_url": f"redis://127.0.0.1:{proxy.port}/0"})) as running:
        proxy.cut()
        wait_until(lambda: running.services.overview.verdict().state == "not_fine")
        app = _page()

        assert "Not fine" in app.title[0].value
        assert "Redis does not answer" in app.title[0].value
        assert "REDIS_URL" in app.error[0].value
        assert next(metric.value for metric in app.metric if metric.label == "Leads") == "0"
        proxy.restore()
        wait_until(lambda: running.services.overview.verdict().state == "fine")
        assert "Fine since" in app.run().title[0].value


def test_first_steps_are_ticked_by_what_happened(settings: Settings) -> None:
    """A step that nobody took is open; once it is taken it is ticked and remembered."""
    with _console(settings) as running:
        step = "A program asked whether the platform is ready"
        assert f":gray[:material/radio_button_unchecked:] {step}" in _text(_page())
        running.services.milestones.reach("readyz_asked")
        wait_until(lambda: f":green[:material/check_circle:] {step}" in _text(_page()), timeout_seconds=20)
    with _console(settings):
        text = _text(_page())
        assert f":green[:material/check_circle:] {step}" in text
        assert ":green[:material/check_circle:] The data outlived a restart" in text


def test_a_client_that_clears_the_caches_leaves_the_services_alone(settings: Settings) -> None:
    """Any client may clear Streamlit's caches; nothing of ours is kept in them."""
    with _console(settings) as running:
        _page()
        threads = {thread.name for thread in threading.enumerate()}
        st.cache_data.clear()
        st.cache_resource.clear()
        app = _page()

        assert "Fine since" in app.title[0].value
        assert runtime.get() is running
        assert {thread.name for thread in threading.enumerate() if thread.name == "core-loop"} <= threads
        assert sum(thread.name == "core-loop" for thread in threading.enumerate()) == 1


def test_a_page_that_is_run_without_app_py_shows_nothing(settings: Settings) -> None:
    """The guard stops a page that was reached around the frame."""
    with _console(settings):
        app = AppTest.from_file(ROOT / "pages/overview.py", default_timeout=30).run()

        assert not app.title
        assert "opened through the console's first page" in app.error[0].value


def test_a_missed_warm_run_is_shown(settings: Settings, database_url: str) -> None:
    """A scheduled run that failed: which plan, since when, why, what follows, and the line to run it by hand."""
    ready_at = datetime.now(UTC).replace(second=0, microsecond=0)
    execute(
        database_url,
        "INSERT INTO console.operations (kind, key, title, operator, parameters, state, finished_at, error, host, pid)"
        " VALUES ('warm', 'warm:market_data', 'Warm', 'schedule',"
        f" jsonb_build_object('plan', 'market_data', 'ready_at', '{ready_at.isoformat()}'::text),"
        " 'failed', now() + interval '1 hour', 'Redis does not answer.', 'here', 1)",
    )
    with _console(replace(settings, cache_warm_schedule=f"market_data {ready_at:%H:%M} UTC")) as running:
        wait_until(lambda: len(running.services.warming.missed()) == 1)
        warning = _page().warning[0].value

        assert "**Market figures** was not warm at" in warning
        assert "Redis does not answer" in warning
        assert "It is tried again at" in warning
        assert "python -m core warm market_data" in warning
