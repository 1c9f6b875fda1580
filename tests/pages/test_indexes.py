"""The index page: none and all built, a broken one, builds through the page and by others, refusals, PostgreSQL down."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.database.indexes.shipped import IndexSet
from core.settings import Settings
from tests.cli.command import ended, started
from tests.pages.opened import console, open_at, press, rerun, text
from tests.servers import behind, execute, fetch_value, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/indexes.py")
NAME, OTHER = "leads_score_idx", "properties_price_idx"
BROKEN = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('{name}')"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($$" + NAME + "$$)"


def typed(app: AppTest, settings: Settings) -> AppTest:
    """Type the target's name: the tests' database is not the embedded one."""
    app.text_input(key="index_target").set_value(settings.target_name)
    return rerun(app)


def says(words: str, **query: str) -> Callable[[], bool]:
    """Whether the page, opened anew, says this."""
    return lambda: words in text(open_page(**query))


def over(running: runtime.Running) -> None:
    """Wait until no operation runs."""
    wait_until(lambda: not running.services.operations.running_here(), timeout_seconds=30)


def build_all(database_url: str) -> None:
    """Every index of the set, without a record."""
    for notes in IndexSet():
        execute(database_url, notes.create_statement.replace("CONCURRENTLY ", ""))


def test_none_then_all_built(settings: Settings, database_url: str) -> None:
    """The first line says what is missing; once all are there it says so, and that they are not on record."""
    with console(settings):
        app = open_page(index=NAME)
        assert "None of the 8 indexes of the set is built" in app.title[0].value
        assert "CREATE INDEX CONCURRENTLY leads_score_idx ON leads" in text(app)
        assert f"python -m core migrate up {NAME} --target {settings.target_name}" in text(app)
        assert app.button(key="index_build").disabled
        assert [expander.label for expander in app.expander] == ["What it buys: lead_list"]
        build_all(database_url)
        wait_until(says("All 8 indexes of the set are built, 8 not on record"))


def test_a_broken_one_is_said_first_and_built_anew(settings: Settings, database_url: str) -> None:
    """What a failed build left is named in the first line; the preflight says GO, and the build drops it first."""
    execute(database_url, f"{IndexSet()[NAME].create_statement.replace('CONCURRENTLY ', '')}; {BROKEN.format(name=NAME)}")
    with console(settings) as running:
        app = open_page(index=NAME)
        assert "leads_score_idx is broken" in app.title[0].value.replace("\\", "")
        assert next(metric.value for metric in app.metric if metric.label == "Broken") == "1"
        assert "DROP INDEX CONCURRENTLY leads_score_idx;\nCREATE INDEX CONCURRENTLY leads_score_idx ON" in text(app)
        assert app.button(key="index_build").disabled
        app = press(typed(app, settings), "index_preflight")
        assert "A failed build left leads_score_idx broken: it is dropped first." in text(app)
        assert "**GO.** It can be built now" in text(app)
        press(app, "index_build")
        over(running)
        wait_until(says("leads_score_idx: built in"))
        assert fetch_value(database_url, VALID) is True


def test_built_and_taken_back(settings: Settings, database_url: str) -> None:
    """Preflight, the target's name, the run, its outcome; then the way back with its SQL, and nothing is left."""
    with console(settings) as running:
        app = press(typed(open_page(index=NAME), settings), "index_preflight")
        press(app, "index_build")
        over(running)
        wait_until(says("1 of the 8 indexes of the set are built"))
        app = typed(open_page(index=NAME), settings)
        assert "DROP INDEX CONCURRENTLY leads_score_idx;" in text(app)
        assert f"python -m core migrate down {NAME} --target {settings.target_name}" in text(app)
        press(app, "index_down")
        over(running)
        assert fetch_value(database_url, VALID) is None
        wait_until(says("leads_score_idx: dropped in"))


def test_a_target_that_is_not_named_is_not_changed(settings: Settings, database_url: str) -> None:
    """Without its name typed every action waits, and says for what."""
    execute(database_url, IndexSet()[NAME].create_statement.replace("CONCURRENTLY ", ""))
    with console(settings):
        app = press(open_page(index=f"{NAME},{OTHER}"), "index_preflight")
        assert all(app.button(key=key).disabled for key in ("index_build", "index_down", "index_adopt"))
        assert f"Type {settings.target_name} above to allow it." in text(app)
        app = typed(app, settings)
        assert not any(app.button(key=key).disabled for key in ("index_build", "index_down", "index_adopt"))


def test_what_is_only_watched_is_refused_with_the_reason(settings: Settings) -> None:
    """In mode watch the preflight says NO and the build cannot be pressed."""
    with console(replace(settings, mode="watch")):
        app = press(open_page(index=NAME), "index_preflight")
        assert "This session only reads." in text(app)
        assert "**NO.**" in text(app)
        assert app.button(key="index_build").disabled
        assert "MODE=watch" in text(app)


def test_a_pasted_statement_is_checked_and_not_run(settings: Settings, database_url: str) -> None:
    """NO with PostgreSQL's own reason; what is no CREATE INDEX is told."""
    bad = "CREATE INDEX CONCURRENTLY x ON leads (created_at) WHERE created_at > now() - interval '1 day'"
    with console(settings):
        app = press(open_page(section="Check a statement", statement=bad), "index_check")
        assert "**NO.** PostgreSQL refuses it: functions in index predicate must be marked IMMUTABLE" in text(app)
        app = press(open_page(section="Check a statement", statement="DROP TABLE leads"), "index_check")
        assert "Not a CREATE INDEX" in text(app)
        assert fetch_value(database_url, "SELECT to_regclass('leads') IS NOT NULL AND to_regclass('x') IS NULL")


def test_every_index_of_the_tables(settings: Settings, database_url: str) -> None:
    """With what does the same, and the statement that drops one which is not of the set."""
    execute(database_url, 'CREATE INDEX "Twin" ON leads (score); CREATE INDEX one ON leads (score)')
    with console(settings):
        app = open_page(section="On the tables", table="leads", found="Twin")
        rows = {row["Index"]: row for row in app.dataframe[0].value.to_dict("records")}
        assert set(rows) == {"Twin", "one", "leads_pkey", "leads_market_id_external_id_key"}
        assert rows["Twin"]["Remark"] == "the same as one; never used"
        assert rows["leads_pkey"]["Remark"] == "a constraint stands on it"
        assert 'DROP INDEX CONCURRENTLY "Twin"' in text(app)


def test_the_build_of_another_process(settings: Settings, database_url: str) -> None:
    """Its phase and whom it waits for are shown; it can be followed, and a cancel ends it and leaves nothing."""
    with console(settings) as running, held_up(database_url):
        wait_until(says("leads_score_idx** is built by another process"), timeout_seconds=15)
        app = open_page(index=NAME)
        assert "Being built now" in app.title[0].value
        assert "waiting for old snapshots" in app.get("progress")[0].proto.text
        assert "It waits for pid" in text(app)
        assert "nightly report" in text(app)
        app.text_input(key="follow_target").set_value(settings.target_name)
        press(rerun(app), f"follow-{NAME}")
        wait_until(says("Cancel ends it within a second"))
        app = open_page()
        operation = running.services.operations.running_here()[0]
        assert operation.title == f"Follow {NAME}"
        press(app, f"cancel-now-{operation.id}")
        over(running)
        assert fetch_value(database_url, VALID) is None


def test_postgresql_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The page stays, says so, and offers nothing that could not be done; back up, it tells the state again."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    with console(replace(settings, database_url=behind(proxy, str(settings.database_url)))):
        proxy.cut()
        app = open_page(index=NAME)
        assert "Cannot tell which indexes there are" in app.title[0].value
        assert "**Next:**" in text(app)
        assert not any(button.key == "index_build" for button in app.button)
        proxy.restore()
        wait_until(says("None of the 8 indexes of the set is built"), timeout_seconds=20)


@pytest.mark.slow
def test_a_build_whose_process_was_killed(settings: Settings, database_url: str) -> None:
    """PostgreSQL builds on after kill -9: the next console's page shows it as its own operation, and the end is right."""
    with old_snapshot(database_url) as let_go, console_after_a_kill(settings, database_url) as following:
        wait_until(says(f"**Follow {NAME}**"), 30)
        wait_until(lambda: f"**Build {NAME}**" not in text(open_page()))  # What runs is read once a second.
        app = open_page()
        assert f"Being built now: {NAME}" in app.title[0].value.replace("\\", "")
        assert "started by console, after its start" in text(app)
        assert "It waits for pid" in text(app)
        let_go()
        over(following)
        wait_until(says(f"{NAME}: adopted"))
        wait_until(says("1 of the 8 indexes of the set are built"))
    assert fetch_value(database_url, VALID) is True
    assert fetch_value(database_url, "SELECT array_agg(version_num) FROM platform_schema_version") == ["1002"]
    states = "SELECT array_agg(state ORDER BY id) FROM console.operations WHERE kind = 'index'"
    assert fetch_value(database_url, states) == ["interrupted", "done"]


@contextmanager
def console_after_a_kill(settings: Settings, database_url: str) -> Iterator[runtime.Running]:
    """A console that starts after the process of a build was killed in the middle of it."""
    running = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'waiting%'"
    with started(settings, ("migrate", "up", NAME, "--target", settings.target_name)) as process:
        wait_until(lambda: fetch_value(database_url, running) == 1 or process.poll() is not None, 60)
        process.kill()
        assert ended(process).code == -signal.SIGKILL
    assert fetch_value(database_url, running) == 1
    with console(settings) as next_one:
        yield next_one


@contextmanager
def held_up(database_url: str) -> Iterator[None]:
    """A build by somebody's own session, which waits for a transaction with an old snapshot."""
    with old_snapshot(database_url, IndexSet()[NAME].create_statement):
        yield


@contextmanager
def old_snapshot(database_url: str, statement: str = "SELECT 1") -> Iterator[Callable[[], None]]:
    """A transaction for which builds wait, and beside it somebody's own statement; it ends with the block or when called."""

    async def hold(ready: threading.Event, over: threading.Event) -> None:
        snapshot, alone = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
        await snapshot.execute("SET application_name = 'nightly report'; BEGIN ISOLATION LEVEL REPEATABLE READ")
        await snapshot.fetchval("SELECT count(*) FROM markets")
        running = asyncio.ensure_future(alone.execute(statement))
        ready.set()
        await asyncio.to_thread(over.wait)
        snapshot.terminate()
        await asyncio.gather(running, return_exceptions=True)
        alone.terminate()

    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(hold(ready, over)), name="old snapshot")
    thread.start()
    try:
        assert ready.wait(10)
        yield over.set
    finally:
        over.set()
        thread.join(10)
