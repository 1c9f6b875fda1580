"""Remedies of real consoles: one run at a time, on record, in the incident's story, and what a restart finds of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import OperationError
from core.monitor.alerts.judge import Condition, Reading
from core.monitor.clock import SteadyClock
from core.monitor.remediation.book import RemedyBook
from core.monitor.remediation.effect import Figure
from core.monitor.remediation.records import RemedyRecords
from core.platform.remedies import Remedies, RemedyParts
from core.platform.remedy_past import RemedyPast
from core.services import Services, build_services
from core.settings import Settings
from tests.monitor.remediation.test_effect import REMEDIES
from tests.platform.test_remedies import NAME, Lever
from tests.servers import behind, fetch_value, socket_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

# What a killed console leaves, as the next one finds it once its lock is free.
INTERRUPTED = """
INSERT INTO console.operations (kind, key, title, operator, parameters, commands, state, host, pid, error)
VALUES ('remedy', 'remedy:spare_claude', 'x', 'the console', $1, '{}', 'interrupted', 'h', 1, 'The process is gone.')
"""

TOMORROW = datetime.now(UTC) + timedelta(days=1)


class Counted(Lever):
    """Judged by a figure of its own, so that nobody waits for a window."""

    async def figure(self) -> Figure | None:
        """How many are held up: none once the lever was turned."""
        return Figure("Sessions held up", 0.0 if self.turned else 3.0, 100, "count")


def remedies(services: Services, lever: Lever) -> tuple[Remedies, RemedyPast]:
    """Of one remedy, whose lever the test holds, over a console's own alerts and store."""
    clock, book = SteadyClock(), RemedyBook([replace(REMEDIES[NAME], settle_seconds=0.05)], embedded=True)
    past = RemedyPast(book, RemedyRecords(services.console_store), services.operations, clock, lambda: True, 0.05)
    parts = RemedyParts(
        book=book, actions={NAME: lever}, alerts=services.alerts, operations=services.operations, past=past, clock=clock
    )
    return Remedies(parts), past


def break_api(services: Services) -> str:
    """The API's P95 beyond its limit for long enough; the key of the incident."""
    book, now = services.alerts.book, services.alerts.view().now
    book.incidents.conditions = {name: Condition() for name in book.incidents.conditions}
    for step in range(50, -1, -1):
        book.tick({"api_p95": Reading(0.2, 1_000, 100)}, now - 5 * step)
    return services.alerts.view().open[0].key


def story(services: Services, key: str) -> str:
    """What remedies wrote into an incident."""
    incident = services.alerts.book.incidents.get(key)
    return " | ".join(entry.text for entry in incident.story if entry.kind == "remedy") if incident else ""


async def test_one_at_a_time_and_on_record(settings: Settings) -> None:
    """Over two consoles; with its judgement in the record of operations, and in the story."""
    url = str(settings.console_database_url)
    async with build_services(settings) as one, build_services(settings) as other:
        await wait_until_async(one.setup.finished.is_set)
        await wait_until_async(other.setup.finished.is_set)
        key, lever, second = break_api(one), Counted(), Counted()
        lever.go.clear()
        first, _ = remedies(one, lever)
        await first.press(NAME, operator="ann", why="slow")
        idle, unsettled = remedies(other, second)
        with pytest.raises(OperationError, match="begun by ann in another console"):
            await idle.press(NAME, operator="ben", why="slow too")
        await unsettled.step()
        assert not unsettled.settled  # What runs elsewhere may be what a killed console left.
        assert second.turned == 0
        lever.go.set()
        await wait_until_async(lambda: first.view().remedies[0].runs[0].phase == "in force")
        await first.undo(NAME, operator="ben")
        await wait_until_async(lambda: first.view().remedies[0].runs[0].phase == "over")
        assert "Helped: Sessions held up was 3 (100 samples) before and is 0" in story(one, key)
        assert "Undone, ben wanted it so: the lever is back." in story(one, key)
        sql = "SELECT operator || ' ' || state || ' ' || (result -> 'run' ->> 'effect') FROM console.operations"
        await wait_until_async(lambda: fetch_value(url, f"{sql} WHERE kind = 'remedy'") == "ann done helped")
        break_api(other)
        later, past = remedies(other, second)
        past.settled = True  # It has read the record before the first console ran anything.
        later.look()
        await wait_until_async(lambda: later.view().remedies[0].runs != ())
        assert later.view().remedies[0].runs[0].effect == "helped"
        later.look()
        assert (second.turned, later.view().remedies[0].held) == (0, "its time has not come yet")


async def test_cancelled_on_the_activity_page(services: Services) -> None:
    """What was in force is taken back, and both the record and the story say so."""
    await wait_until_async(services.setup.finished.is_set)
    key, lever = break_api(services), Counted()
    console, _ = remedies(services, lever)
    await console.press(NAME, operator="ann", why="slow")
    lever.held_up = 0.0
    await wait_until_async(lambda: [run.phase for run in console.view().remedies[0].runs] == ["in force"])
    (operation,) = [item for item in services.operations.running_here() if item.kind == "remedy"]
    assert (operation.what, operation.operator) == ("helped; in force until it is over", "ann")
    await services.operations.cancel(operation.id, "ben")
    assert (await services.operations.wait(operation.id)).state == "cancelled"
    assert not lever.down
    assert "Undone, it was cancelled: the lever is back." in story(services, key)


async def test_the_store_away_and_back(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """Pressed and switched all the same; what was switched is written when it is back, and found by the next console."""
    url = str(settings.console_database_url)
    proxy = tcp_proxy(socket_of(url))
    async with build_services(replace(settings, console_database_url=behind(proxy, url))) as services:
        await wait_until_async(services.setup.finished.is_set)
        lever = Counted()
        console, _ = remedies(services, lever)
        await console.open()
        proxy.cut()
        await console.press(NAME, operator="ann", why="slow")
        await wait_until_async(lambda: console.view().remedies[0].runs != () and lever.turned == 1)
        await console.switch(NAME, automatic=False, operator="ann", why="a move")
        assert not console.view().remedies[0].automatic
        await wait_until_async(lambda: bool(console.view().store_error))
        proxy.restore()
        stored = "SELECT document ->> 'why' FROM console.remedies"
        await wait_until_async(lambda: fetch_value(url, stored) == "a move")
        await console.close()
        assert not lever.down
        after, past = remedies(services, Counted())
        await past.step()
        assert (after.view().remedies[0].automatic, after.view().remedies[0].why) == (False, "ann: a move")


async def test_a_restart_ends_what_was_in_force(services: Services) -> None:
    """The story says so, once; the run counts for the cooldown, and for no more where the clock was set back since."""
    await wait_until_async(services.setup.finished.is_set)
    key = break_api(services)
    left = {"remedy": NAME, "rule": "api_p95", "incident": key, "why": "api_p95 is broken", "run": "a1"}
    await services.console_store.execute(INTERRUPTED, left)
    await services.console_store.execute("UPDATE console.operations SET started_at = $1, updated_at = $1", TOMORROW)
    for _ in range(2):
        console, past = remedies(services, Counted())
        await past.step()
        console.look()
        assert story(services, key).count("The console ended while it ran") == 1
        assert "what it had changed ended with it" in story(services, key)
        (run,) = console.view().remedies[0].runs
        assert (run.effect, run.undone) == ("cannot tell", "the console ended")
        assert console.view().remedies[0].held == "its time has not come yet"
        assert run.began_at <= console.view().now
        assert console.view().remedies[0].next_at <= console.view().now + REMEDIES[NAME].cooldown_seconds


async def test_serve_runs_none(settings: Settings) -> None:
    """It has the service, says so, and refuses."""
    async with build_services(settings, console=False) as services:
        assert services.remedies.view().runs_here is False
        with pytest.raises(OperationError, match="in the console only"):
            await services.remedies.press(NAME, operator="ann", why="x")
