"""Traffic: a load as an operation: watched, cancelled without a process left, refused where it may not go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import psutil
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.errors import TargetError, UsageError
from core.operations import Operation
from core.platform.traffic import Traffic
from core.services import Services, build_services
from core.settings import Settings
from tests.load.platform_server import PlatformServer
from tests.support import wait_until_async

OPERATOR = "local operator"


@pytest.fixture
def server() -> Iterator[PlatformServer]:
    """What stands in for the console's own API."""
    with PlatformServer() as running:
        yield running


@pytest.fixture
async def services(settings: Settings, server: PlatformServer) -> AsyncIterator[Services]:
    """Services that take the server's port for the console's own."""
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    async with build_services(Settings(**{**fields, "port": server.port})) as opened:
        yield opened


@pytest.fixture
def typed(services: Services) -> str:
    """The name that allows it: a test's database is not the embedded one."""
    return services.settings.target_name


def _children(url: str) -> list[psutil.Process]:
    return [process for process in psutil.Process().children(recursive=True) if _loads(process, url)]


def _loads(process: psutil.Process, url: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and url in process.cmdline()
    except psutil.Error:
        return False


def _ready(server: PlatformServer, requests: int, processes: int) -> bool:
    return len(server.measured) >= requests and len(_children(server.url)) >= processes


async def _over(services: Services, operation: Operation) -> Operation:
    return await services.operations.wait(operation.id)


async def test_a_load_is_an_operation_with_a_report(services: Services, server: PlatformServer, typed: str) -> None:
    """The line that is shown is the line that runs; the report is read back from the store."""
    traffic = services.traffic
    plan = traffic.plan(50, 1.0, 1.5, events=True)
    operation = await traffic.start(plan, typed, OPERATOR)

    assert operation.commands == (traffic.command(plan, typed),)
    assert f"--users 50 --think 1 --duration 1.5 --url {server.url} --events --target {typed}" in operation.commands[0]
    done = await _over(services, operation)
    assert (done.state, done.operator, done.what) == ("done", OPERATOR, "requests")
    await wait_until_async(lambda: traffic.running() is None)
    view = await traffic.load()
    assert view.running is None
    assert view.last.value is not None
    report = view.last.value.report
    assert report is not None
    assert (report.users, report.errors, report.requests) == (50, 0, len(server.measured))


async def test_progress_is_passed_on(services: Services, typed: str) -> None:
    """While it runs the view has its figures and the operation its share."""
    traffic = services.traffic
    operation = await traffic.start(traffic.plan(50, 1.0, 600.0), typed, OPERATOR)
    seen: list[Any] = []
    await wait_until_async(lambda: bool(seen.append(traffic.running()) or (seen[-1] and seen[-1].done > 0)), 30)

    view = await traffic.load()
    assert view.progress is not None
    assert view.progress.requests > 0
    assert (view.running and view.running.total) == view.progress.planned
    await services.operations.cancel(operation.id, OPERATOR)
    assert (await _over(services, operation)).state == "cancelled"


async def test_one_at_a_time(services: Services, typed: str) -> None:
    """Whoever starts a second load gets the one that runs."""
    traffic = services.traffic
    first = await traffic.start(traffic.plan(1, 1.0, 600.0), typed, OPERATOR)
    second = await traffic.start(traffic.plan(2, 1.0, 600.0), typed, "another")

    assert second.id == first.id
    await services.operations.cancel(first.id, OPERATOR)
    await _over(services, first)


async def test_cancelling_leaves_no_process(services: Services, server: PlatformServer, typed: str) -> None:
    """In the middle of the load, before its first request, and while its process is only being started."""
    traffic = services.traffic
    for wanted, processes in ((20, 1), (0, 1), (0, 0), (0, 0), (0, 0)):
        server.asked.clear()
        operation = await traffic.start(traffic.plan(50, 1.0, 600.0), typed, OPERATOR)
        await wait_until_async(partial(_ready, server, wanted, processes), 30)
        await services.operations.cancel(operation.id, OPERATOR)

        assert (await _over(services, operation)).state == "cancelled"
        assert _children(server.url) == []


async def test_closing_leaves_no_process(services: Services, server: PlatformServer, typed: str) -> None:
    """The console ends while a load runs."""
    traffic = services.traffic
    operation = await traffic.start(traffic.plan(50, 1.0, 600.0), typed, OPERATOR)
    await wait_until_async(lambda: len(server.measured) > 10, 30)
    await services.operations.close()

    assert operation.running
    assert _children(server.url) == []


async def test_a_platform_full_of_errors_is_a_report(services: Services, server: PlatformServer, typed: str) -> None:
    """The load was made: its failure is the platform's, and the report says it."""

    async def fail(_request: Request, measured: int) -> Response | None:
        return JSONResponse({}, 500) if measured > 0 else None

    server.fault = fail
    done = await _over(services, await services.traffic.start(services.traffic.plan(50, 1.0, 1.5), typed, OPERATOR))

    assert done.state == "done"
    assert done.result is not None
    assert "http 500" in done.result["failure"]


async def test_no_report_is_a_failed_operation(services: Services, server: PlatformServer, typed: str) -> None:
    """The generator's own words are passed on."""

    async def not_ready(_request: Request, _measured: int) -> Response:
        return JSONResponse({"detail": "Setting up.", "next_step": "Wait."}, 503)

    server.fault = not_ready
    done = await _over(services, await services.traffic.start(services.traffic.plan(50, 1.0, 1.5), typed, OPERATOR))

    assert (done.state, done.next_step) == ("failed", "Wait.")
    assert "Setting up." in done.error


async def test_a_target_that_was_not_named_is_refused(services: Services, server: PlatformServer) -> None:
    """Nothing is started, not even an operation."""
    traffic: Traffic = services.traffic
    for name in (None, "", "local"):
        with pytest.raises(TargetError, match="not the embedded database"):
            await traffic.start(traffic.plan(1, 1.0, 1.0), name, OPERATOR)

    assert await services.operations.list(kind="load") == ()
    assert server.asked == []


def test_bounds_are_those_of_the_command() -> None:
    """The page refuses what the command line would."""
    with pytest.raises(UsageError):
        build_services(Settings()).traffic.plan(2_001, 1.0, 1.0)
