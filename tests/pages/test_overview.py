"""The overview page: healthy, empty, a promise broken, a warning, a dependency down, and its guard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import runtime
from core.monitor.alerts.judge import Condition, Reading
from core.services import build_services
from core.settings import Settings
from tests.monitor.alerts.scenes import FINE
from tests.servers import execute
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

ROOT = Path(__file__).parents[2]


@contextmanager
def _console(settings: Settings) -> Iterator[runtime.Running]:
    with runtime.use(build_services(settings)) as running:
        wait_until(running.services.setup.finished.is_set)
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        yield running


def _page() -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=30).run()
    assert not app.exception
    return app


def _text(app: AppTest) -> str:
    kinds = (app.title, app.markdown, app.caption, app.subheader, app.error, app.warning, app.info)
    return "\n".join([*(element.value for kind in kinds for element in kind), _html(app)])


def _html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def _line(app: AppTest) -> str:
    return str(app.title[0].value).replace("\\", "")


async def _judge(running: runtime.Running, *, seconds: float, readings: Mapping[str, Reading]) -> None:
    """Let the console's own book judge these readings, and no others, over so much time, up to now."""
    await running.services.alerts.close()
    book, now = running.services.alerts.book, running.services.alerts.view().now
    book.incidents.conditions = {name: Condition() for name in book.incidents.conditions}
    for step in range(int(seconds // 5), -1, -1):
        book.tick(readings, now - 5 * step)


def _requests(running: runtime.Running) -> None:
    monitor = running.services.monitor
    for number in range(240):
        monitor.record("api_request_seconds", 0.6 if number % 24 == 0 else 0.01, ("/api/leads",))
    monitor.fold()


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
    """All servers up and requests judged: fine since when; promises as chips with their targets; cards and charts."""
    with _console(settings) as running:
        running.gate.run(_judge(running, seconds=60, readings=FINE), 10)
        app = _page()

        assert "Fine since" in _line(app)
        text = _text(app)
        assert 'chips__chip--kept" tabindex="0"><span class="chips__sign" aria-label="kept">✓</span><span>API P95' in text
        assert "promised &lt; 100 ms<br>through this layer: P95 30 ms, n=1,000" in text
        assert "whole server: " in text
        assert "<span>Claude&#x27;s cache hit rate</span><span>not enough samples: 0 of 50</span>" in text
        assert 'class="promise"' not in text
        assert "<b>PostgreSQL</b> 18" in text
        assert "<b>Redis</b>" in text
        assert {metric.label for metric in app.metric} >= {"Leads", "Interactions", "Properties", "Market figures"}
        assert next(metric.value for metric in app.metric if metric.label == "Market figures") == "2"
        assert "market-prices" in [chart.key for chart in app.get("plotly_chart")]
        assert "A source. A note." in text


def test_broken_promises(settings: Settings) -> None:
    """Who feels it in the first line, the cause; a card with value, target, time lost and next step. A warning is orange."""
    slow = FINE | {"api_p95": Reading(0.6, 1_000, 900, 10), "database_p95": Reading(0.9, 1_000, 900)}
    with _console(settings) as running:
        _requests(running)
        running.gate.run(_judge(running, seconds=120, readings=slow), 10)
        app = _page()

        assert "Not fine, 2 min: 1 in 24 lead lists slow: Database P95 is 900 ms; :gray[next: open the slowest" in _line(app)
        assert _line(app).startswith(":red[")
        text = _text(app)
        assert text.index(">Database P95 <") < text.index(">API P95 <")  # One incident: its cause first.
        assert "promised &lt; 100 ms" in text
        assert "users lost 5" in text  # 240 / 24 requests, half a second each.
        assert "promise__level--critical" in text
        assert "<em>whole server</em>: " in text
        assert "<b>Next:</b> Open the slowest query" in text

        running.gate.run(_judge(running, seconds=900, readings=FINE | {"cpu": Reading(0.93, samples=1)}), 10)
        app = _page()
        assert "CPU is 93 %" in _line(app)
        assert _line(app).startswith(":orange[")
        assert "promise__level--warning" in _text(app)


def test_empty(settings: Settings) -> None:
    """No rows: zeros are zeros, and the missing chart says where figures come from; so does a window of hours."""
    with _console(settings) as running:
        wait_until(lambda: running.services.system.snapshot() is not None)
        app = _page()

        wait_until(lambda: "Cannot tell: the console has just started" in _line(app.run()))
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
        wait_until(lambda: running.services.overview.readiness().state == "not_fine")
        app = _page()

        assert "Cannot tell: Redis does not answer, for" in _line(app)
        assert "REDIS_URL" in app.error[0].value
        down = Reading(1.0, samples=1, worst="connection refused", advice="Start it.")
        running.gate.run(_judge(running, seconds=60, readings=FINE | {"redis": down}), 10)
        app = _page()
        assert "Not fine, 60 s: Redis does not answer; :gray[next: start it]" in _line(app)
        assert not app.error  # The card says it.
        assert "<strong>connection refused</strong>" in _html(app)
        assert next(metric.value for metric in app.metric if metric.label == "Leads") == "0"
        proxy.restore()
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        running.gate.run(_judge(running, seconds=120, readings=FINE), 10)
        assert "Fine since" in _line(app.run())


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

        assert "Cannot tell" in _line(app)
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
