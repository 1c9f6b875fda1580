"""The rule workbench: what other numbers would have done, kept with a reason; two operators; no record; the store down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from core import runtime
from core.errors import UsageError
from core.settings import Settings
from tests.monitor.alerts.lived import Lived, keep
from tests.pages.opened import console, open_at, press, rerun, text
from tests.servers import behind, fetch_value, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/alerts.py")
MINUTE = 60


def _fill(running: runtime.Running) -> None:
    """The last forty minutes, as a console lived them that ended a minute ago."""
    lived = Lived(time.time() // MINUTE * MINUTE - 41 * MINUTE).live()
    running.gate.run(keep(running.services.console_store, lived.rows, 1, lived.began), 20)


async def _change(running: runtime.Running, seen_at: float | None) -> None:
    await running.services.alert_operations.change_rule(
        "database_p95", {"warning": 0.2}, why="too loud", operator="Petra", seen_at=seen_at
    )


def test_numbers_are_tried_and_kept(settings: Settings) -> None:
    """At once at each edit, errors at their field, saved with a reason, refused where another was faster, set back."""
    with console(settings) as running:
        app = open_page()
        assert "before they are kept" in text(app)
        _fill(running)
        app = open_page(rule="database_p95")
        assert "The numbers in use would have fired once as critical" in text(app)
        assert "1 message would have woken somebody" in text(app)
        assert "40 min of 24 h, by 10 s" in text(app)

        app.number_input(key="workbench-database_p95-warning").set_value(300.0)
        assert "The critical limit lies beyond the warning limit" in text(rerun(app))
        assert "Correct the numbers" in text(app)
        app.number_input(key="workbench-database_p95-critical").set_value(2_000.0)
        app.number_input(key="workbench-database_p95-warning_pending_seconds").set_value(3_600.0)
        assert "**These numbers would not have fired.** In use: once." in text(rerun(app))
        table = next(item.value for item in app.dataframe if "Numbers" in item.value).set_index("Numbers")
        assert list(table["Fired"]) == ["never", "once", "once"]

        press(app, "rule-save")
        assert "The reason is missing" in text(app)
        running.gate.run(_change(running, None), 10)
        app.text_input(key="workbench-database_p95-why").set_value("the nightly export is slow")
        press(rerun(app), "rule-save")
        assert "Petra changed it meanwhile" in text(app)
        assert "too loud" in text(app)
        assert "shipped 50 ms, in use 200 ms" in text(app)
        press(app, "rule-save")
        rule = running.services.alerts.book.incidents.rules["database_p95"]
        assert (rule.warning, rule.critical, rule.warning_pending_seconds) == (0.3, 2.0, 3_600.0)
        assert "Last changed by local operator: the nightly export is slow" in text(app)

        app.text_input(key="workbench-database_p95-why").set_value("no longer")
        press(rerun(app), "rule-back")
        assert running.services.alerts.book.incidents.rules["database_p95"].warning == 0.05
        count = "SELECT count(*) FROM console.operations WHERE key = 'alert:rule:database_p95' AND state = 'done'"
        wait_until(lambda: fetch_value(str(settings.console_database_url), count) == 3)
        with pytest.raises(UsageError, match="local operator changed it meanwhile"):
            running.gate.run(_change(running, 1.0), 10)


def test_nothing_on_record_and_the_store_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """Said, each with why; numbers can be saved all the same."""
    url = str(settings.console_database_url)
    proxy = tcp_proxy(socket_of(url))
    with console(replace(settings, console_database_url=behind(proxy, url))) as running:
        _fill(running)
        assert "Nothing of this figure is on record" in text(open_page(rule="claude_mean"))
        assert "Each minute is judged by its worst look" not in text(open_page(rule="cpu"))
        proxy.cut()
        assert "The history cannot be read" in text(open_page(rule="redis"))
        app = open_page(rule="redis")
        app.number_input(key="workbench-redis-critical_pending_seconds").set_value(60.0)
        app.text_input(key="workbench-redis-why").set_value("it restarts at night")
        press(rerun(app), "rule-save")
        assert running.services.alerts.book.incidents.rules["redis"].critical_pending_seconds == 60.0
        proxy.restore()
