"""The cache page: healthy, empty, Redis down, PostgreSQL down, watched, and each action."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.cache.families import Family
from core.services import build_services
from core.settings import Settings
from tests.cache.caches import through
from tests.pages.opened import open_at, rerun
from tests.servers import behind, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/cache.py")


@contextmanager
def console(settings: Settings) -> Iterator[runtime.Running]:
    """A running console with a family that loads at once, and a cache that hears itself."""

    async def load(rest: str) -> bytes:
        return b'{"rest": "%s"}' % rest.encode()

    services = build_services(settings)
    services.cache.families.add(Family(name="good", title="Good", load=load, ttl_seconds=600.0, tags=lambda _: ("tagged",)))
    with runtime.use(services) as running:
        wait_until(services.setup.finished.is_set)
        wait_until(lambda: services.overview.readiness().state == "fine")
        wait_until(lambda: services.cache.stats().link.state == "found" or services.settings.effective_mode == "watch")
        yield running


def read(running: runtime.Running, count: int = 1, keys: int = 1) -> None:
    """Read each of some keys so often."""

    async def reads() -> None:
        for _ in range(count):
            for number in range(keys):
                await running.services.cache.fetch(f"good:{number}")

    running.gate.run(reads(), 20)
    running.services.monitor.fold()


def press(app: AppTest, key: str) -> AppTest:
    """Press a button that can be pressed."""
    assert not app.button(key=key).disabled
    app.button(key=key).click()
    return rerun(app)


def text(app: AppTest) -> str:
    """All words of the page, without the signs that keep them from being Markdown."""
    kinds = (app.title, app.markdown, app.caption, app.error, app.warning, app.info, app.code, app.toast)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def metric(app: AppTest, label: str) -> str:
    """The value of a number."""
    return str(next(item.value for item in app.metric if item.label == label))


def remembered(running: runtime.Running) -> list[tuple[str, str]]:
    """What operators did to the cache, newest first."""
    found = running.gate.run(running.services.operations.list(kind="cache"), 5)
    return [(operation.title, operation.operator) for operation in found]


def test_healthy(settings: Settings) -> None:
    """The rate and the speed in the first line, tiers, families with reasons, hot keys."""
    with console(settings) as running:
        read(running, 50, 4)
        app = open_page(period="1m", family="good")

        assert "98.0 % of 200 reads hit" in app.title[0].value.replace("\u00a0", " ").replace("\\", "")
        assert metric(app, "Hit rate") == "98.0\u00a0%"
        assert metric(app, "Reads per second") != "0.0"
        rows = app.dataframe[0].value.set_index("Family")
        assert (rows.loc["Good", "Reads"], rows.loc["Good", "Cold"]) == (200, 4)
        assert "Read from Redis" in list(app.dataframe[1].value["What"])
        assert set(app.dataframe[2].value["Key"]) == {f"good:{number}" for number in range(4)}
        assert "1** process heard" in text(app)
        assert "Whole server**, hit rate (all users): not known. A difference needs two looks" in text(app)


def test_empty(settings: Settings) -> None:
    """No read yet: nothing is called fine, and the line says what to do."""
    with console(settings):
        app = open_page()

        assert "nothing was read" in app.title[0].value
        assert "Make traffic on the Overview" in text(app)
        assert (metric(app, "Hit rate"), metric(app, "Read P95")) == ("—", "—")


def test_redis_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The line says what answers now; keys are told by memory; an action is done here and waits for Redis."""
    proxy = tcp_proxy(str(settings.redis_url).removeprefix("unix://").partition("?")[0])
    with console(replace(settings, redis_url=through(proxy, str(settings.redis_url)))) as running:
        read(running)
        proxy.cut()
        wait_until(lambda: running.services.overview.readiness().state == "not_fine")
        app = open_page(show="Keys", key="good:0")

        assert "Redis does not answer" in app.title[0].value
        assert "REDIS_URL" in text(app)
        assert '"rest": "0"' in text(app)
        assert "Redis is told when it answers" in text(press(app, "key-delete"))
        assert running.services.cache.stats().outbox.keys == 1
        proxy.restore()
        wait_until(lambda: running.services.cache.stats().outbox.keys == 0, timeout_seconds=20)


def test_postgresql_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """What is held is served; the page stays, and a plan's runs say that they are not known."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    target = behind(proxy, str(settings.database_url))
    with console(replace(settings, database_url=target, console_database_url=target)) as running:
        read(running, 30, 4)
        proxy.cut()
        wait_until(lambda: running.services.overview.readiness().state == "not_fine")
        app = open_page(show="Plans")

        assert "nothing can be loaded" in app.title[0].value
        assert "The runs are not known" in text(app)
        assert metric(app, "Hit rate") == "96.6\u00a0%"


def test_a_key_is_found_refreshed_and_deleted(settings: Settings) -> None:
    """By its beginning, with its value; each action says what it runs, and is remembered."""
    with console(settings) as running:
        read(running, keys=3)
        app = open_page(show="Keys", begins="good:", key="good:1")

        table = next(item.value for item in app.dataframe if "Held by" in item.value)
        assert list(table["Key"]) == ["good:0", "good:1", "good:2"]
        assert '"rest": "1"' in text(app)
        assert "PUBLISH" in text(app)
        assert "Refresh good:1: done" in text(press(app, "key-refresh"))
        app = press(app, "key-delete")
        assert "Neither Redis nor this process' memory holds this key" in text(app)
        assert remembered(running) == [("Delete good:1", "local operator"), ("Refresh good:1", "local operator")]


def test_keys_of_others_are_read_only(settings: Settings) -> None:
    """They are listed, and no action is offered."""
    with console(settings) as running:
        read(running)
        app = open_page(show="Keys", all="true", key="good:0")

        table = next(item.value for item in app.dataframe if "Whose" in item.value)
        assert "this cache's" in set(table["Whose"])
        assert not any(button.key in ("key-delete", "key-refresh") for button in app.button)


@pytest.mark.parametrize(
    ("query", "word"),
    [({"what": "Tag", "tag": "tagged"}, "tagged"), ({"what": "Family"}, "market_data"), ({"what": "Everything"}, "everything")],
)
def test_an_invalidation_is_estimated_typed_and_done(settings: Settings, query: dict[str, str], word: str) -> None:
    """The button waits for the word; the estimate tells keys, memory and time."""
    with console(settings) as running:
        read(running, keys=3)
        app = open_page(show="Invalidate", **query)
        assert not any(button.key == "invalidate_now" for button in app.button)
        app = press(app, "invalidate_estimate")
        held = 0 if word == "market_data" else 3
        assert metric(app, "Keys in Redis") == str(held)
        assert app.button(key="invalidate_now").disabled
        app.text_input(key="invalidate_typed").set_value(word)
        press(rerun(app), "invalidate_now")

        assert running.services.cache.stats().memory.entries == 3 - held
        assert remembered(running)[0][0].startswith("Invalidate")


def test_redis_is_kept_away_and_used_again(settings: Settings) -> None:
    """The line says who did it; the same button undoes it."""
    with console(settings) as running:
        app = press(open_page(), "redis-switch")
        assert running.services.cache.stats().breaker.state == "forced_open"
        assert "an operator keeps the cache away from Redis" in rerun(app).title[0].value
        press(app, "redis-switch")
        assert running.services.cache.stats().breaker.state == "closed"
        assert [title for title, _ in remembered(running)] == ["Use Redis again", "Keep the cache away from Redis"]


def test_a_plan_is_tried_and_run(settings: Settings) -> None:
    """The dry run is told in sentences; the run in what it loaded and bought."""
    with console(settings) as running:
        app = open_page(show="Plans", plan="market_data")
        app = press(app, "warm_dry_run")
        assert "1 keys, 0 of them warm already, 1 to load" in text(app)
        press(app, "warm_run")
        wait_until(lambda: not running.services.operations.running_here(), timeout_seconds=20)
        wait_until(lambda: "1 loaded, 0 warm already, 0 failed" in text(rerun(app)), timeout_seconds=20)
        assert "python -m core warm market_data" in text(app)


def test_a_watched_redis_is_left_alone(settings: Settings) -> None:
    """Every action is there, disabled, with its reason."""
    with console(settings) as running:
        read(running)
    with console(replace(settings, mode="watch")):
        app = open_page(show="Keys", key="good:0")
        assert "MODE=watch" in text(app)
        assert app.button(key="key-delete").disabled
        assert app.button(key="redis-switch").disabled
        app = open_page(show="Plans", plan="market_data")
        assert app.button(key="warm_run").disabled
        app = press(open_page(show="Invalidate", what="Everything"), "invalidate_estimate")
        assert app.button(key="invalidate_now").disabled
        assert "nothing is changed there" in text(app)


def test_a_plan_with_an_hour_says_how_it_stands(settings: Settings) -> None:
    """Wanted when, started when; one that never ran begins with the next hour."""
    with console(replace(settings, cache_warm_schedule="top_leads 08:00 America/Chicago")) as running:
        wait_until(lambda: bool(running.services.warming.scheduled()))
        app = open_page(show="Plans")

        table = next(item.value for item in app.dataframe if "Wanted at" in item.value).set_index("Plan")
        assert table.loc["Top leads", "Wanted at"] == "08:00 America/Chicago"
        assert table.loc["Top leads", "How it stands"].startswith(("begins at", "starts within", "runs now", "warm since"))
        assert table.loc["Market figures", "Wanted at"] == ""
