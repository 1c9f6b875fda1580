"""Alerts of a console: kept in the store, also what happened while it was away, taken up again; and nothing in `serve`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.errors import UsageError
from core.monitor.alerts.alerts import AlertParts, Alerts
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.notifier import Notifier
from core.monitor.alerts.readings import Probe, Readings
from core.monitor.alerts.records import AlertRecords
from core.monitor.alerts.rules import Rule
from core.monitor.recorder import Recorder
from core.ports import Rows
from core.services import Services, build_services
from core.settings import Settings
from tests.monitor.alerts.scenes import DOWN, RULES, UP, WORDS
from tests.monitor.manual_clock import ManualClock
from tests.servers import behind, fetch_value, socket_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy


def redis_probed() -> tuple[Rule, ...]:
    """The rule of Redis, asked of a probe that a test turns."""
    return tuple(replace(rule, kind="probe") for rule in RULES if rule.name == "redis")


class Console:
    """Alerts in made time over a real store."""

    def __init__(self, store: Rows, clock: ManualClock) -> None:
        self.clock = clock
        self.down = False
        probes: dict[str, Probe] = {"redis": lambda _now: DOWN if self.down else UP}
        recorder = Recorder(clock.steady)
        self.alerts = Alerts(
            AlertParts(
                book=AlertBook(redis_probed(), WORDS),
                readings=Readings(recorder, lambda: (), probes, clock.steady.now),
                records=AlertRecords(store),
                notifier=Notifier(""),
                clock=clock.steady,
                record=recorder,
                keep_seconds=0.05,
            )
        )

    def run(self, seconds: int) -> None:
        """Judge every five seconds."""
        for _ in range(0, seconds, 5):
            self.clock.advance(5)
            self.alerts.tick()


async def stored(console: Console) -> None:
    """Until the store has everything."""
    await wait_until_async(lambda: console.alerts.stats().unwritten == 0)


async def test_an_outage_of_the_store_and_a_restart(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """Judged while the store is away, written when it is back, and gone on with by the next console."""
    url = str(settings.console_database_url)
    proxy = tcp_proxy(socket_of(url))
    clock = ManualClock()
    async with build_services(replace(settings, console_database_url=behind(proxy, url))) as services:
        await wait_until_async(services.setup.finished.is_set)
        first = Console(services.console_store, clock)
        await first.alerts.open()
        await stored(first)
        proxy.cut()
        first.down = True
        first.run(60)
        await first.alerts.silence("redis", who="ann", why="known", seconds=7_200)
        await wait_until_async(lambda: bool(first.alerts.stats().store_error))
        assert first.alerts.stats().unwritten == 2
        assert [item.title for item in first.alerts.view().open] == ["Redis does not answer"]
        assert "ALERT_URLS is not set" in first.alerts.view().open[0].story[-1].text
        proxy.restore()
        await stored(first)
        await first.alerts.close()

        await services.console_store.execute(
            "INSERT INTO console.alert_incidents (key, opened_at, document) VALUES ('other', now(), '{}')"
        )
        second = Console(services.console_store, clock)
        second.down = True
        second.run(10)
        await second.alerts.open()
        await wait_until_async(lambda: len(second.alerts.view().open) == 1)
        assert second.alerts.view().open[0].key == first.alerts.view().open[0].key
        assert second.alerts.view().silenced == {"redis"}
        second.down = False
        second.run(90)
        await stored(second)
        await second.alerts.close()
    story = "SELECT string_agg(x.entry ->> 'kind', ' ') FROM console.alert_incidents, jsonb_array_elements(document -> 'story')"
    assert fetch_value(url, f"{story} AS x (entry) WHERE key <> 'other'") == "opened untold note over resolved untold"


async def test_operators_are_on_record(services: Services, settings: Settings) -> None:
    """A silence, its end and a test are operations with who and why; a fault of the form is an error, not an operation done."""
    await wait_until_async(services.setup.finished.is_set)
    await services.alert_operations.silence("api_p95", why="a move", seconds=60, operator="ann")
    made = services.alerts.view().silences[0]
    await services.alert_operations.end_silence(made.key, operator="ben")
    assert services.alerts.view().silences == ()
    assert "ALERT_URLS" in (await services.alert_operations.test(operator="ann")).error
    with pytest.raises(UsageError, match="no open incident"):
        await services.alert_operations.acknowledge("none", why="x", seconds=60, operator="ann")
    sql = "SELECT string_agg(operator || ' ' || state || ' ' || coalesce(result ->> 'why', ''), ', ' ORDER BY id)"
    found = f"{sql} FROM console.operations WHERE kind = 'alert'"
    wanted = "ann done a move, ben done , ann done , ann failed "
    await wait_until_async(lambda: fetch_value(str(settings.console_database_url), found) == wanted)


async def test_only_the_console_judges(settings: Settings) -> None:
    """`serve` has the service and judges nothing; the console does, with the rules that there is something to say of."""
    async with build_services(settings, console=False) as services:
        assert services.alerts.stats().judges is False
    async with build_services(settings) as services:
        await wait_until_async(lambda: services.overview.readiness().state == "fine")
        services.alerts.tick()
        states = {item.rule.name: item.condition.state for item in services.alerts.view().rules}
        assert states["postgresql"] == states["redis"] == states["database_pool"] == "ok"
        assert states["api_p95"] == "warming_up"
        assert services.alerts.view().open == ()
