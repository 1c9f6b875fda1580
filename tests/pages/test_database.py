"""The database page: healthy, empty, a wait and its end, a plan, a proof, one's own SQL, rights, watch, PostgreSQL down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.errors import TargetError
from core.settings import Settings
from tests.database.blocked import blocked
from tests.pages.opened import console as running_console
from tests.pages.opened import open_at, rerun, text
from tests.servers import behind, execute, fetch_value, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/database.py")


@contextmanager
def console(settings: Settings) -> Iterator[runtime.Running]:
    """A running console that is fine."""
    with running_console(settings) as running:
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        yield running


def metric(app: AppTest, label: str) -> str:
    """The value of one number."""
    return next(item.value for item in app.metric if item.label == label)


@pytest.fixture
def asked(database_url: str) -> Callable[[runtime.Running, int], None]:
    """Leads in the database, and a way to ask for them."""
    execute(
        database_url,
        "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX');"
        "INSERT INTO leads (market_id, external_id, status, score)"
        " SELECT 'austin', n::text, 'active', n % 100 FROM generate_series(1, 500) AS n; ANALYZE",
    )

    def ask(running: runtime.Running, count: int) -> None:
        database = running.services.database
        for number in range(count):
            work = database.fetch_all("lead_list", ["active"], number % 100, 10, filters={"market": "austin"})
            running.gate.run(work, 10)
        running.services.monitor.fold()

    return ask


def test_empty_then_healthy(settings: Settings, asked: Callable[[runtime.Running, int], None]) -> None:
    """With too few queries nothing is claimed; then the P95, and each query with its SQL and what is kept of it."""
    with console(settings) as running:
        app = open_page()
        assert "Cannot tell" in app.title[0].value
        assert metric(app, "Wait for a lock") == "0"
        asked(running, 30)
        figures = running.services.whole_server.figures
        wait_until(lambda: "CREATE EXTENSION" in figures()["database_p95"].note)
        app = open_page(query="lead_list")
        assert "**Whole server**, statements (means, never P95): not known. pg_stat_statements" in text(app)
        assert "of 100 connections. Of all programs" in text(app)
        assert "P95" in app.title[0].value
        assert "nobody waits" in app.title[0].value
        assert metric(app, "Connections busy") == "0 of 8"
        assert "pool of at most 8: the usual number, as the server's processors are not known" in text(app)
        assert "lead_list" in list(app.dataframe[0].value["Query"])
        said = text(app)
        assert "The best leads by score" in said
        assert app.dataframe[0].value.set_index("Query").at["lead_list", "Rows"] == 10.0
        assert "300 rows in 30 answers · no error" in said
        assert "30 sets of 30 calls are kept, in memory only" in said
        assert "BEGIN READ ONLY; SET LOCAL statement_timeout = 5000;" in said
        assert "they may name a person" in text(open_page(query="lead"))
        assert "There is no named query nope" in text(open_page(query="nope"))


def test_a_plan_and_a_proof(settings: Settings, asked: Callable[[runtime.Running, int], None], database_url: str) -> None:
    """Explained with real parameters; measured before and after nothing has changed, which the next console still shows."""
    with console(settings) as running:
        asked(running, 12)
        app = open_page(query="lead_list")
        assert app.button(key="measure-after-lead_list").disabled
        app.button(key="explain-lead_list").click()
        assert "leads" in text(rerun(app))
        assert "then rolled back" in text(app)
        assert "No proof yet" in text(app)
        for side in ("before", "after"):
            app.button(key=f"measure-{side}-lead_list").click()
            rerun(app)
            wait_until(lambda: not running.services.operations.running_here())
            app = open_page(query="lead_list")
            assert "proof-lead_list" in [chart.key for chart in app.get("plotly_chart")]
        assert "The plan is the same." in text(app)
        assert "No effect" in text(app)
        kept = "SELECT result ->> 'verdict' FROM console.operations WHERE kind = 'proof' ORDER BY id DESC LIMIT 1"
        wait_until(lambda: fetch_value(database_url, kept) == "no effect")
    with console(settings):
        app = open_page(query="lead_list")
        assert "proof-lead_list" in [chart.key for chart in app.get("plotly_chart")]
        assert "On record, measured by local operator" in text(app)
        assert "No effect" in text(app)


def test_a_wait_and_its_end(settings: Settings, database_url: str) -> None:
    """The first line says who holds up whom; the end needs the number typed, and is on record."""
    with console(settings) as running, ExitStack() as stack:
        app, overview = open_page(show="Sessions"), running.services.database_overview
        assert "Nobody waits for a lock." in text(app)
        scene = stack.enter_context(blocked(database_url))
        wait_until(lambda: running.gate.run(overview.load(300), 10).verdict.reason.startswith("1 session waits"), 30)
        rerun(app)
        assert f"held up by holder of the test ({scene.holder})" in app.title[0].value.replace("\\", "")
        assert metric(app, "Wait for a lock") == "1"
        assert "waits for AccessShareLock of leads" in text(app)
        assert f"SELECT pg_terminate_backend({scene.holder});" in text(app)
        key = f"end-now-{scene.waiter}"
        assert app.button(key=key).disabled
        app.text_input(key=f"end-typed-{scene.waiter}").set_value(str(scene.waiter))
        rerun(app).button(key=key).click()
        rerun(app)
        wait_until(scene.over.is_set)
        assert [type(error).__name__ for error in scene.errors] == ["QueryCanceledError"]
    record = "SELECT state || ' ' || (parameters ->> 'pid') FROM console.operations WHERE kind = 'cancel'"
    assert fetch_value(database_url, record) == f"done {scene.waiter}"


def test_watched_only(settings: Settings, database_url: str) -> None:
    """In MODE=watch everything is seen and nobody's statement can be ended."""
    with console(replace(settings, mode="watch")) as running:
        app = open_page(show="Sessions")
        with blocked(database_url) as scene:
            key = f"end-now-{scene.waiter}"
            wait_until(lambda: key in {button.key for button in rerun(app).button}, 30)
            assert app.button(key=key).disabled
            found = running.gate.run(running.services.database_overview.sessions(), 10).sessions
            session = next(item for item in found if item.pid == scene.waiter)
            work = running.services.database_operations.cancel(session, typed=str(session.pid), operator="test")
            with pytest.raises(TargetError, match="MODE=watch"):
                running.gate.run(work, 10)
            assert scene.errors == []


def test_own_sql_and_the_whole_server(settings: Settings) -> None:
    """A statement that reads gets its plan, any other a refusal; without the extension it is said what brings it."""
    with console(settings):
        app = open_page(show="Your SQL")
        for sql, said in (
            ("SELECT * FROM leads WHERE score > $1", "on leads"),
            ("DELETE FROM leads", "DELETE is not run here"),
        ):
            app.text_area(key="own_sql").set_value(sql)
            app.text_input(key="own_parameters").set_value("[3]")
            rerun(app).button(key="explain-own").click()
            assert said in text(rerun(app))
        wait_until(lambda: "CREATE EXTENSION pg_stat_statements;" in text(open_page(show="Whole server")))


def test_postgresql_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The first line says it and since when; what is known is not passed off as new."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    with console(replace(settings, database_url=behind(proxy, str(settings.database_url)))) as running:
        open_page(show="Sessions")
        proxy.cut()
        wait_until(lambda: running.services.overview.readiness().state == "not_fine")
        app = open_page(show="Sessions")
        wait_until(lambda: metric(rerun(app), "Wait for a lock") == "—")
        assert "PostgreSQL does not answer" in app.title[0].value
        assert "Who is connected cannot be told" in text(app)
        proxy.restore()
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        wait_until(lambda: "does not answer" not in open_page().title[0].value)
