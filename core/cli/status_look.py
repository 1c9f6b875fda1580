"""StatusLook: one look at how the platform fares: what the running console says, or what can be known without one.

Starts no server and writes nothing: a command that asks must not change what it asks about.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from core.errors import CoreError, DependencyDown, DependencyError, DependencyTimeout
from core.platform.status import StatusDependency, StatusIncident, StatusView, read_status, status_incident
from core.settings import Settings, masked

if TYPE_CHECKING:  # loaded where no console answers
    from core.ports import Pingable
    from core.services import Services

ROUTE = "/status.json"
TIMEOUT_SECONDS = 5.0  # The route asks no server; a machine that swaps may need a moment.
START = "Start the console: make run. Or say with HOST and PORT where it listens."


def look(settings: Settings) -> StatusView:
    """Ask the console of HOST and PORT; without one ask the servers themselves."""
    try:
        return ask_console(settings)
    except DependencyError as error:
        return asyncio.run(_alone(settings, error))


def address(settings: Settings) -> str:
    """Where the console listens, as people write it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def ask_console(settings: Settings) -> StatusView:
    """What the console says; raises DependencyDown or DependencyTimeout."""
    where = address(settings)
    connection = HTTPConnection(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", ROUTE, headers={"Accept": "application/json"})
        return read_status(json.loads(connection.getresponse().read()))
    except TimeoutError:
        raise DependencyTimeout(
            f"The console on {where} did not answer within {TIMEOUT_SECONDS:g} s", "Read its log."
        ) from None
    except OSError:
        raise DependencyDown(f"no console answers on {where}", START) from None
    except (HTTPException, ValueError):
        other = "Another program, or another version of the console, has this port: name the right one with PORT."
        raise DependencyDown(f"what answers on {where} is no console", other) from None
    finally:
        connection.close()


async def _alone(settings: Settings, error: DependencyError) -> StatusView:
    from core.services import build_services  # noqa: PLC0415 - see above

    services = build_services(settings, console=False)
    checked = await asyncio.gather(*(_check(settings, *one) for one in _servers(services)))
    return StatusView(
        at=datetime.now(UTC),
        environment=settings.environment,
        state="cannot_tell",
        reason=str(error),
        next_step=error.next_step,
        judged=False,
        dependencies=tuple(checked),
        incidents=await _incidents(services),
    )


def _servers(services: Services) -> Iterator[tuple[str, Pingable, str | None]]:
    settings = services.settings
    yield "PostgreSQL", services.database, settings.database_url
    yield "Redis", services.redis, settings.redis_url
    if settings.database_url != settings.console_database_url:
        yield "The console's store", services.console_store, settings.console_database_url


async def _check(settings: Settings, title: str, server: Any, url: str | None) -> StatusDependency:
    where = "embedded" if url is None else masked(url)
    try:
        async with asyncio.timeout(settings.health_timeout_seconds):
            version = (await server.ping()).version
        return StatusDependency(title=title, where=where, state="up", age_seconds=0.0, version=version)
    except TimeoutError:
        failed, advice = f"no answer within {settings.health_timeout_seconds:g} s", ""
    except CoreError as error:
        failed, advice = str(error), error.next_step
    finally:
        await server.close()
    # An embedded server runs only while something needs it: that it is away without a console is no fault.
    advice = "The console starts it." if url is None else advice
    return StatusDependency(title=title, where=where, state="down", age_seconds=0.0, error=failed, next_step=advice)


async def _incidents(services: Services) -> tuple[StatusIncident, ...]:
    """Those that went on when the console ended; none where the store does not answer."""
    from core.monitor.alerts.records import AlertRecords  # noqa: PLC0415 - see above

    store, now = services.console_store, time.time()
    try:
        await store.open()
        async with asyncio.timeout(services.settings.health_timeout_seconds):
            kept = await AlertRecords(store).load(now, 0.0)
    except (CoreError, TimeoutError):
        return ()
    finally:
        await store.close()
    return tuple(status_incident(item, now, 0.0, "") for item in kept.incidents if item.open)
