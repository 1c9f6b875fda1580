"""Measures: what each query cost, apart from the wait for a connection."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import DependencyTimeout, QueryError
from core.monitor import Recorder
from tests.database.conftest import Opened
from tests.support import wait_until_async


async def test_each_query_has_its_own_figures(opened: Opened, database_url: str) -> None:
    """Calls, rows, the slow ones and errors by kind; statements without a name share one label."""
    recorder = Recorder()
    database = await opened(database_url, {"record": recorder}, slow_seconds=0.02)
    for _ in range(3):
        await database.fetch_all("platform_is_empty")
    await database.fetch_all("SELECT n FROM generate_series(1, 5) AS n")
    await database.fetch_value("SELECT pg_sleep(0.03)")
    with pytest.raises(QueryError):
        await database.fetch_value("SELECT 1 / 0")

    figures = {item.name: item for item in database.query_stats()}
    assert (figures["platform_is_empty"].calls, figures["platform_is_empty"].rows) == (3, 3)
    ad_hoc = figures["ad hoc"]
    assert (ad_hoc.calls, ad_hoc.rows, ad_hoc.slow, ad_hoc.slow_share) == (2, 5, 1, 0.5)  # pg_sleep gives nothing
    assert ad_hoc.errors == (("DivisionByZeroError", 1),)
    assert ad_hoc.seconds > ad_hoc.slowest_seconds >= 0.03
    recorder.fold()
    assert recorder.total("database_query_seconds").count == 5
    assert recorder.total("database_wait_seconds").count == 6


async def test_the_wait_for_a_connection_is_not_the_querys_time(opened: Opened, database_url: str) -> None:
    """A question that waits behind a slow one is itself quick."""
    database = await opened(database_url, max_size=1)
    slow = asyncio.create_task(database.fetch_value("SELECT pg_sleep(0.2)"))
    await wait_until_async(lambda: database.stats().size == 1)
    quick = asyncio.create_task(database.fetch_all("platform_is_empty"))
    await wait_until_async(lambda: database.stats().waiting == 1)
    await asyncio.gather(slow, quick)

    (figures,) = [item for item in database.query_stats() if item.name == "platform_is_empty"]
    assert figures.seconds < 0.15


async def test_what_is_given_up_is_a_sample(opened: Opened, database_url: str) -> None:
    """A statement that met its time limit, or whose caller left, took that long: P95 would be best where all queries hang."""
    recorder = Recorder()
    database = await opened(database_url, {"record": recorder}, command_timeout_seconds=0.2)
    asked = asyncio.create_task(database.fetch_value("SELECT pg_sleep(5)"))
    await wait_until_async(lambda: database.stats().running is not None)
    running = database.stats().running
    with pytest.raises(DependencyTimeout):
        await asked
    left = asyncio.create_task(database.fetch_value("SELECT pg_sleep(5)"))
    await wait_until_async(lambda: (found := database.stats().running) is not None and found.seconds > 0.06)
    left.cancel()
    await wait_until_async(lambda: database.stats().running is None)
    recorder.fold()

    assert running is not None
    assert (running.name, running.count) == ("ad hoc", 1)
    assert database.stats().running is None
    assert (recorder.total("database_query_seconds").max or 0.0) >= 0.19
    assert recorder.total("database_query_seconds").count == 2
    assert (database.query_stats()[0].calls, database.query_stats()[0].slow) == (0, 0)
