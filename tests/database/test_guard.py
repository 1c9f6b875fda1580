"""Guard: the breaker leaves a dead server alone, and takes nothing else for an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import BreakerOpen, DependencyDown, DependencyTimeout, PoolExhausted, QueryError
from core.resilience import CircuitBreaker
from tests.database.conftest import Opened
from tests.servers import behind, socket_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy


@pytest.fixture
def breaker() -> CircuitBreaker:
    """Opens at the second failure, tries again after a moment."""
    return CircuitBreaker("postgres", minimum_calls=2, open_seconds=0.05, half_open_calls=1)


async def test_a_dead_server_is_left_alone_until_it_answers(
    opened: Opened, database_url: str, tcp_proxy: Callable[[Any], TcpProxy], breaker: CircuitBreaker
) -> None:
    """Calls are refused at once; pings go past the breaker; a trial closes it."""
    proxy = tcp_proxy(socket_of(database_url))
    database = await opened(behind(proxy, database_url), {"breaker": breaker})
    proxy.cut()
    for _ in range(2):
        with pytest.raises(DependencyDown):
            await database.fetch_value("SELECT 1")
    breaker.open("test", "stays open while it is looked at")
    with pytest.raises(BreakerOpen):
        await database.fetch_value("SELECT 1")
    with pytest.raises(BreakerOpen):
        async with database.transaction():
            pass
    proxy.restore()
    assert (await database.ping()).version
    breaker.automatic("test")
    assert await database.fetch_value("SELECT 1") == 1
    assert breaker.state == "closed"


async def test_two_failures_open_it_and_a_trial_closes_it(
    opened: Opened, database_url: str, tcp_proxy: Callable[[Any], TcpProxy], breaker: CircuitBreaker
) -> None:
    """Without anybody's hand."""
    proxy = tcp_proxy(socket_of(database_url))
    database = await opened(behind(proxy, database_url), {"breaker": breaker})
    proxy.cut()
    for _ in range(2):
        with pytest.raises(DependencyDown):
            await database.fetch_value("SELECT 1")
    assert breaker.state == "open"
    proxy.restore()
    await wait_until_async(breaker.allow)
    breaker.abandon()
    assert await database.fetch_value("SELECT 1") == 1
    assert breaker.state == "closed"


async def test_answers_that_are_errors_are_no_outage(opened: Opened, database_url: str, breaker: CircuitBreaker) -> None:
    """Refused statements, those that PostgreSQL ends for their length, a busy pool, and callers that give up."""
    database = await opened(
        database_url, {"breaker": breaker}, max_size=1, acquire_timeout_seconds=0.05, command_timeout_seconds=0.3
    )
    for _ in range(3):
        with pytest.raises(QueryError):
            await database.fetch_value("SELECT 1 / 0")
        with pytest.raises(DependencyTimeout):
            await database.fetch_value("SELECT pg_sleep(30)")
    async with database.transaction():
        for _ in range(3):
            with pytest.raises(PoolExhausted):
                await database.fetch_value("SELECT 1")
    asking = asyncio.create_task(database.fetch_value("SELECT pg_sleep(30)"))
    await wait_until_async(lambda: database.stats().idle == 0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert breaker.state == "closed"
    assert breaker.stats().failures == 0
