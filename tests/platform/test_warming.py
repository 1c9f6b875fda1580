"""Warming: shipped plans on sample data, one run of a plan in all processes, held and continued runs, and the schedule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from core import sample
from core.cache.families import Family
from core.errors import DependencyError, TargetError, UsageError
from core.operations import Operation
from core.platform.read_paths import key_of_path
from core.platform.warm_records import KIND, report_of, run_of
from core.platform.warming import ON_START, SCHEDULE, TICK_SECONDS, Warming
from core.services import Services, build_services
from core.settings import Settings
from tests.cache.warm_loads import ToldLoads
from tests.servers import behind, socket_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

ME = "local operator"
KEYS = 120


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def ready() -> datetime:
    """The hour of the plan: in two minutes, since the store's stamps are of the real clock."""
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=2)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, ready: datetime) -> Settings:
    """A console with a plan of its own, of keys whose loader the test holds, wanted in two minutes."""
    path = tmp_path / "plans.toml"
    keys = ", ".join(f'"told:{number}"' for number in range(KEYS))
    path.write_text(f'[told]\nkeys = [{keys}]\nready_by = "{ready:%H:%M}"\nzone = "UTC"\n', encoding="utf-8")
    return replace(settings, cache_warm_plans=str(path))


@pytest.fixture
def loads() -> ToldLoads:
    """The loader of every process in a test."""
    return ToldLoads()


@pytest.fixture
async def consoles(settings: Settings, loads: ToldLoads) -> AsyncIterator[Callable[[], Any]]:
    """Opens services as further processes would; `console=False` keeps their own schedule out of the test."""
    async with AsyncExitStack() as stack:

        async def open_one(changed: Settings = settings) -> Services:
            services = build_services(changed, console=False)
            services.cache.families.add(Family(name="told", title="Told", load=loads, ttl_seconds=600.0))
            await stack.enter_async_context(services)
            await services.data.wait_set_up(20)
            await wait_until_async(lambda: services.cache.stats().link.state == "found")
            return services

        yield open_one


@pytest.fixture
async def services(consoles: Callable[[], Any]) -> Services:
    """One of them."""
    return await consoles()


async def ended(services: Services, name: str = "told", **how: Any) -> Operation:
    """Start a plan and wait for its end."""
    started = await services.warming.start(name, operator=ME, **how)
    return await services.operations.wait(started.operation.id)


async def test_every_shipped_plan_warms_sample_data(services: Services, database_url: str) -> None:
    """Each finds keys, but for the two that stand on what was read or answered before; a route then reads without a load."""
    connection = await asyncpg.connect(database_url)
    size = sample.SampleSize(leads=600, interactions=2_000, properties=300)
    await sample.load(connection, size=size, seed=5, now=datetime.now(UTC))
    await connection.close()
    empty = {"most_missed", "ai_response_templates"}
    for plan in services.warming.plans:
        operation = await ended(services, plan.name)
        assert operation.state == "done", operation.error
        report = report_of(operation)
        assert report is not None
        assert (report.failed, report.refused, report.elsewhere, report.reasons) == (0, 0, 0, ())
        assert (report.keys == 0) == (plan.name in empty), plan.name
        assert report.loaded + report.already_warm == report.keys
        assert operation.commands[0] == f"python -m core warm {plan.name}"
    for path in ("/api/markets", "/api/markets/austin", "/api/leads?market=austin", "/api/properties?market=austin&limit=50"):
        assert (await services.cache.fetch_read(key_of_path(path))).tier == "redis", path


async def test_a_dry_run_of_each_shipped_plan(services: Services) -> None:
    """On empty tables too: nothing fails, and the plan that stands on the hour says so."""
    for plan in services.warming.plans:
        estimate = await services.warming.dry_run(plan.name)
        assert estimate.plan == plan.name
        assert (estimate.wanted_at is not None) == (plan.name == "told")
    assert (await services.warming.dry_run("told")).keys == KEYS
    with pytest.raises(UsageError, match="no warm plan"):
        await services.warming.dry_run("none")


async def test_two_consoles_run_a_plan_once(consoles: Callable[[], Any], loads: ToldLoads) -> None:
    """The second gets the run of the first, and its progress."""
    one, other = await consoles(), await consoles()
    loads.stop_after = 10
    both = await asyncio.gather(one.warming.start("told", operator=ME), other.warming.start("told", operator="another"))
    assert sorted(started.created for started in both) == [False, True]
    assert len({started.operation.id for started in both}) == 1
    await wait_until_async(lambda: not loads.go.is_set())
    loads.go.set()
    operation = await other.operations.wait(both[0].operation.id)
    assert operation.state == "done"
    assert len(loads.loaded) == len(set(loads.loaded)) == KEYS


async def test_another_console_holds_and_resumes_a_run(consoles: Callable[[], Any], loads: ToldLoads) -> None:
    """It is said who holds it; nothing more is loaded until it goes on."""
    one, other = await consoles(), await consoles()
    loads.stop_after = 20
    number = (await one.warming.start("told", operator=ME)).operation.id
    await wait_until_async(lambda: not loads.go.is_set())
    assert (await other.operations.pause(number, "Ann")).paused_by == "Ann"
    await wait_until_async(lambda: one.warming.running()[0].paused_by == "Ann")
    loads.go.set()
    await wait_until_async(lambda: loads.under_way == 0)
    assert len(loads.loaded) < 30
    assert (await other.operations.resume(number)).paused_by is None
    operation = await other.operations.wait(number)
    report = report_of(operation)
    assert operation.state == "done"
    assert operation.paused_by is None
    assert report is not None
    assert report.loaded == KEYS
    assert report.paused_seconds > 0


@pytest.mark.parametrize("by", ["cancel", "close"])
async def test_a_run_that_ended_early_is_continued(consoles: Callable[[], Any], loads: ToldLoads, by: str) -> None:
    """Cancelled, or with its console gone: the next run has its name, loads only the rest, and both count as one gain."""
    first, second = await consoles(), await consoles()
    loads.stop_after = 40
    number = (await first.warming.start("told", operator=ME)).operation.id
    await wait_until_async(lambda: not loads.go.is_set() and loads.under_way > 0)
    if by == "cancel":
        await first.operations.cancel(number, ME)
    else:
        await first.close()
    before = await second.operations.wait(number)
    assert before.state == ("cancelled" if by == "cancel" else "interrupted")
    loads.go.set()
    after = await ended(second)
    report = report_of(after)
    assert report is not None
    assert run_of(after) == run_of(before) == report.run
    assert after.parameters["continues"] == number
    assert report.already_warm >= 36
    assert report.loaded + report.already_warm == KEYS
    await second.cache.fetch("told:0")
    await second.cache.fetch(f"told:{KEYS - 1}")
    newest = (await second.warming.runs(limit=1, plan="told"))[0]
    assert newest.gain is not None
    assert newest.gain.reads == 2


async def test_postgresql_down(consoles: Callable[[], Any], settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The run of a plan that asks the platform fails and says what to do; the console's store remembers it."""
    url = str(settings.database_url)
    proxy = tcp_proxy(socket_of(url))
    services = await consoles(replace(settings, database_url=behind(proxy, url)))
    proxy.cut()
    operation = await ended(services, "market_data")
    assert operation.state == "failed"
    assert operation.next_step
    with pytest.raises(DependencyError):
        await services.warming.dry_run("market_data")


async def test_a_watched_redis_is_left_alone(consoles: Callable[[], Any], settings: Settings) -> None:
    """MODE=watch: nothing is started."""
    services = build_services(replace(settings, mode="watch"), console=False)
    with pytest.raises(TargetError, match="MODE=watch"):
        await services.warming.start("told", operator=ME)


def scheduled(services: Services, clock: Clock) -> Warming:
    """The schedule of one console, driven by the test's clock."""
    parts = services.cache, services.database, services.operations, services.setup
    return Warming(services.settings, *parts, schedules=True, clock=clock)


async def only(warming: Warming) -> Any:
    """How the one plan with an hour stands."""
    await warming.tick()
    return warming.scheduled()[0]


async def test_the_schedule_runs_once_in_all_consoles(consoles: Callable[[], Any], loads: ToldLoads, ready: datetime) -> None:
    """Nothing before its time; then one run, whoever looks; then nothing until the next day."""
    one, other = await consoles(), await consoles()
    clock = Clock(ready - timedelta(minutes=30))
    first, second = scheduled(one, clock), scheduled(other, clock)
    assert (await only(first)).state == "waiting"
    clock.now = ready - timedelta(seconds=100)
    await asyncio.gather(first.tick(), second.tick())
    for operation in await one.operations.list(kind=KIND):
        await one.operations.wait(operation.id)
    await first.tick()
    await second.tick()
    runs = await one.operations.list(kind=KIND)
    assert [run.operator for run in runs if report_of(run)] == [SCHEDULE]
    assert len(loads.loaded) == KEYS
    assert runs[-1].parameters["ready_at"] == ready.isoformat()
    assert first.scheduled()[0].state == "ready"
    assert first.missed() == ()


async def test_a_failed_run_is_shown_and_tried_again(services: Services, loads: ToldLoads, ready: datetime) -> None:
    """It is missed when the hour passes, and caught up when the loader is well again."""
    loads.error = ValueError("broken")
    clock = Clock(ready - timedelta(seconds=100))
    warming = scheduled(services, clock)
    await warming.tick()
    number = (await services.operations.list(kind=KIND))[0].id
    assert (await services.operations.wait(number)).state == "failed"
    ended_at = (await services.operations.get(number)).finished_at
    assert ended_at is not None
    clock.now = ended_at + timedelta(seconds=29)
    failed = await only(warming)
    assert (failed.state, failed.missed, failed.run) == ("failed", False, number)
    assert "broken" in failed.reason
    assert warming.missed() == (failed,)

    loads.error = None
    clock.now = ready
    assert [item.missed for item in warming.missed()] == [True]
    await warming.tick()
    again = (await services.operations.list(kind=KIND))[0].id
    assert again != number
    assert (await services.operations.wait(again)).state == "done"
    assert (await only(warming)).state == "ready"
    assert warming.missed() == ()


async def test_a_store_that_was_away_for_a_moment_delays_the_schedule_by_seconds(
    consoles: Callable[[], Any],
    settings: Settings,
    ready: datetime,
    tcp_proxy: Callable[[Any], TcpProxy],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A look that failed is repeated long before the next one would be due."""
    url = str(settings.console_database_url)
    proxy = tcp_proxy(socket_of(url))
    services = await consoles(replace(settings, console_database_url=behind(proxy, url)))
    warming = scheduled(services, Clock(ready - timedelta(minutes=30)))
    proxy.cut()
    await warming.open()
    await wait_until_async(lambda: "warm_schedule_waits" in caplog.text)
    proxy.restore()
    await wait_until_async(lambda: len(warming.scheduled()) == 1, TICK_SECONDS / 2)
    await warming.close()


async def test_warm_on_start(settings: Settings, loads: ToldLoads) -> None:
    """The console runs the plans that the setting names once, and only the console does."""
    async with build_services(replace(settings, cache_warm_on_start="market_data"), console=False) as api:
        await api.data.wait_set_up(20)
        assert await api.operations.list(kind=KIND) == ()
    changed = replace(settings, cache_warm_on_start="market_data", cache_warm_plans=None)
    async with build_services(changed) as console:
        await console.data.wait_set_up(20)
        found: list[Operation] = []
        while not found:
            found = list(await console.operations.list(kind=KIND))
            await asyncio.sleep(0)
        assert (found[0].operator, found[0].parameters["plan"]) == (ON_START, "market_data")
        assert (await console.operations.wait(found[0].id)).state == "done"
