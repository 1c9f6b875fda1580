"""Records of alerts: what has been over for long is forgotten, by the console that judges, and nothing else."""

from __future__ import annotations

from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.records import KEPT_SECONDS, AlertRecords
from core.services import Services
from core.settings import Settings
from tests.monitor.alerts.scenes import DOWN, UP, WORDS, Scene, only
from tests.monitor.alerts.test_alerts import Console
from tests.monitor.manual_clock import ManualClock
from tests.servers import fetch_value
from tests.support import wait_until_async

LARGE = Reading(4e9, samples=1)
LEFT = """
SELECT concat_ws('; ',
    (SELECT string_agg(document ->> 'cause', ', ' ORDER BY opened_at, key) FROM console.alert_incidents),
    (SELECT count(*) FROM console.alert_silences),
    (SELECT string_agg(rule, ', ' ORDER BY rule) FROM console.alert_rules))
"""


async def test_what_the_store_refuses_keeps_nothing_back(services: Services) -> None:
    """Words that no column can hold are given up, and what comes after them is written."""
    await wait_until_async(services.setup.finished.is_set)
    scene = Scene(AlertBook(only("redis", "disk"), WORDS))
    scene.book.silence("redis", who="ann", why="a \0 in it", seconds=60, wall=scene.now)
    scene.book.change_rule("redis", {"enabled": False}, who="ann", why="a \0 in it", wall=scene.now)
    scene.book.change_rule("disk", {"warning": 0.8}, who="ann", why="a trial", wall=scene.now)
    records = AlertRecords(services.console_store)
    await records.write(scene.book.unwritten, 0.0)
    assert len(scene.book.unwritten) == 0
    assert [made.rule for made in (await records.load(scene.now, 0.0)).changes] == ["disk"]


async def test_what_is_long_over_is_forgotten(services: Services, settings: Settings) -> None:
    """After 400 days an incident that ended is gone; one that goes on stays, and so do numbers that are judged by."""
    await wait_until_async(services.setup.finished.is_set)
    clock = ManualClock()
    scene = Scene(AlertBook(only("redis", "process_memory", "api_p95", "disk"), WORDS), now=clock.steady.now())
    scene.run(60, {"redis": DOWN, "process_memory": LARGE})
    scene.run(120, {"redis": UP, "process_memory": LARGE})
    for rule, values in (("api_p95", {"warning": 0.2}), ("disk", {"warning": 0.8}), ("disk", {})):
        scene.book.change_rule(rule, values, who="ann", why="a trial", wall=scene.now)
    scene.book.silence("disk", who="ann", why="known", seconds=60, wall=scene.now)
    records, url = AlertRecords(services.console_store), str(settings.console_database_url)
    await records.write(scene.book.unwritten, 0.0)

    clock.advance(KEPT_SECONDS - 60)
    assert await records.expire(clock.wall) == 0
    assert fetch_value(url, LEFT) == "redis, process_memory; 1; api_p95, disk"
    clock.advance(400)
    console = Console(services.console_store, clock)
    await console.alerts.open()
    await wait_until_async(lambda: fetch_value(url, LEFT) == "process_memory; 0; api_p95")
    await console.alerts.close()
