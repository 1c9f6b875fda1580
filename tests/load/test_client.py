"""Before the load: the target says what it stands on, and what is not embedded asks for its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from core.errors import DependencyDown, LoadError, TargetError
from core.load.client import Client, require_allowed
from core.load.plan import Address, LoadPlan
from core.settings import Settings
from tests.console_process import free_port
from tests.load.platform_server import PlatformServer

PRODUCTION = "postgresql://db.example:5432/platform"


def _readyz(where: str, **more: str) -> dict[str, Any]:
    dependencies = [{"name": "redis", "where": "embedded"}, {"name": "postgresql", "where": where}]
    return {"environment": "local", "mode": "watch", "dependencies": dependencies, **more}


async def _allow(server: PlatformServer, typed: str | None, settings: Settings | None = None, *, events: bool = False) -> None:
    plan = LoadPlan(address=Address.parse(server.url), users=1, think_seconds=1.0, duration_seconds=1.0)
    async with Client(plan.address) as client:
        await require_allowed(client, settings or Settings(), replace(plan, events=events), typed)


async def test_an_embedded_target_is_free() -> None:
    """Its own word counts more than the settings of the terminal that the load is started in."""
    with PlatformServer(_readyz("embedded")) as server:
        await _allow(server, None, Settings(database_url=PRODUCTION))


async def test_a_console_on_somebodys_production_asks_for_its_name() -> None:
    """Also when this terminal has no DATABASE_URL: the port answers for another platform."""
    with PlatformServer(_readyz(PRODUCTION)) as server:
        with pytest.raises(TargetError) as caught:
            await _allow(server, "local")

        assert caught.value.next_step == "Type its name to allow it: db.example/platform"
        await _allow(server, "db.example/platform")


async def test_the_name_is_the_environment_where_there_is_one() -> None:
    """As everywhere in the console."""
    with PlatformServer(_readyz(PRODUCTION, environment="staging")) as server:
        with pytest.raises(TargetError, match="staging"):
            await _allow(server, "db.example/platform")
        await _allow(server, "staging")


async def test_a_watched_platform_takes_no_events() -> None:
    """Its name allows reads only."""
    with PlatformServer(_readyz(PRODUCTION)) as server, pytest.raises(TargetError, match="MODE=watch"):
        await _allow(server, "db.example/platform", events=True)


async def test_a_target_that_does_not_say_is_judged_by_the_settings() -> None:
    """No /readyz: the settings are all there is to go by."""

    async def plain(_request: Request, _measured: int) -> Response:
        return PlainTextResponse("not found", 404)

    with PlatformServer() as server:
        server.fault = plain
        await _allow(server, None)
        with pytest.raises(TargetError):
            await _allow(server, None, Settings(database_url=PRODUCTION))


async def test_nobody_listens() -> None:
    """A dependency that is down, with what to start."""
    async with Client(Address("http", "127.0.0.1", free_port())) as client:
        with pytest.raises(DependencyDown, match="Nobody answers") as caught:
            await client.get("/readyz")

    assert "python -m core serve" in caught.value.next_step


@pytest.mark.parametrize(("status", "error"), [(404, LoadError), (503, DependencyDown)])
async def test_a_list_that_is_not_answered(status: int, error: type[Exception]) -> None:
    """A 404 is a wrong address, a 503 a platform that is not ready; the target's own words are passed on."""

    async def fail(_request: Request, _measured: int) -> Response:
        return JSONResponse({"detail": "PostgreSQL is away.", "next_step": "Wait."}, status)

    with PlatformServer() as server:
        server.fault = fail
        async with Client(Address.parse(server.url)) as client:
            with pytest.raises(error, match=r"PostgreSQL is away\."):
                await client.get_items("/api/markets")
