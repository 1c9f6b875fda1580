"""The alerts page: just started, fine, an incident with its story and what is done about it, and the store down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from core import runtime
from core.monitor.alerts.judge import CRITICAL, Condition, Reading
from core.settings import Settings
from tests.pages.opened import console, open_at, press, rerun, text
from tests.servers import behind, fetch_value, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/alerts.py")


async def tick(running: runtime.Running) -> None:
    """Judge now, as the console does every few seconds."""
    running.services.alerts.tick()


async def judge(running: runtime.Running, *, seconds: float, **readings: Reading) -> None:
    """Let the console's own book judge these readings over so much time, every five seconds up to now."""
    book, now = running.services.alerts.book, running.services.alerts.view().now
    book.incidents.conditions = {name: Condition() for name in book.incidents.conditions}
    for step in range(int(seconds // 5), -1, -1):
        book.tick(readings, now - 5 * step)


def test_from_the_start_to_the_end_of_an_incident(settings: Settings) -> None:
    """Nothing to judge by; an incident with its cause, acknowledged and silenced; over, and in what was."""
    with console(settings) as running:
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        running.gate.run(tick(running), 10)
        app = open_page()
        wait_until(lambda: "Cannot tell: the console has just started" in text(rerun(app)))
        assert "Nobody is told: ALERT_URLS is not set" in text(app)
        assert "No incident is on record." in text(app)
        table = app.dataframe[0].value.set_index("Rule")
        assert list(table.at["API P95", "State"]) == ["warming up"]
        assert (table.at["Redis", "Value"], table.at["API P95", "Promised"]) == ("up", "< 100 ms")
        assert app.button(key="alert-test").disabled

        slow, query = Reading(1.2, 1_000, 900, 50, worst="/api/leads: 800 of 900"), Reading(0.9, 1_000, 900)
        running.gate.run(judge(running, seconds=60, api_p95=slow, database_p95=query), 10)
        key = running.services.alerts.view().open[0].key
        app = open_page(incident=key)
        assert "Not fine, 60 s: Database P95 is 900 ms" in app.title[0].value.replace("\\", "")
        assert "its plan shows which rows it reads" in text(app)
        assert "API P95 is 1.2 s, promised is < 100 ms; /api/leads: 800 of 900" in text(app)

        press(app, f"ack-{key}-now")
        assert "The reason is missing" in text(app)
        app.text_input(key=f"ack-{key}-why").set_value("looking at the plan")
        press(rerun(app), f"ack-{key}-now")
        assert "looking at the plan · local operator" in text(app)
        app.selectbox(key="silence-rule").set_value("database_p95")
        app.text_input(key="silence-why").set_value("known")
        press(rerun(app), "silence-now")
        silence = running.services.alerts.view().silences[0]
        assert "local operator: known" in text(app)
        press(app, f"end-{silence.key}")
        assert running.services.alerts.view().silences == ()
        count = "SELECT count(*) FROM console.operations WHERE kind = 'alert' AND state = 'done'"
        wait_until(lambda: fetch_value(str(settings.console_database_url), count) == 3)


def test_the_store_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """It is judged and shown, an operator's word is taken, and both are said to wait."""
    url = str(settings.console_database_url)
    proxy = tcp_proxy(socket_of(url))
    with console(replace(settings, console_database_url=behind(proxy, url))) as running:
        proxy.cut()
        running.gate.run(judge(running, seconds=60, redis=Reading(1.0, 1, worst="connection refused")), 10)
        app = open_page()
        assert "Redis does not answer" in app.title[0].value
        assert "Redis does not answer; connection refused" in text(app)
        key = running.services.alerts.view().open[0].key
        assert running.services.alerts.view().open[0].level == CRITICAL
        app.text_input(key=f"ack-{key}-why").set_value("on it")
        press(rerun(app), f"ack-{key}-now")
        assert "on it · local operator" in text(app)
        wait_until(lambda: "The console's store does not answer. " in text(rerun(app)))
        proxy.restore()
        stored = "SELECT document -> 'acknowledged' ->> 'why' FROM console.alert_incidents"
        wait_until(lambda: fetch_value(url, stored) == "on it")
