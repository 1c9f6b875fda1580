"""The pool against asyncpg's own and SQLAlchemy's: ratios of one run, medians of rounds that take turns."""

from __future__ import annotations

import asyncio
import platform
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import sqlalchemy
import uvloop
from sqlalchemy.ext.asyncio import create_async_engine

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.monitor import Recorder
from core.resilience import CircuitBreaker

NAME = "platform_is_empty"  # One row of one column.
SQL = Queries().resolve(NAME)
SIZE = 10
ROUNDS = 7
CALLS = 1_500
TASKS = 50
CALLS_OF_A_TASK = 60
NAMES = ("ours", "ours_ad_hoc", "asyncpg", "asyncpg_unreset", "sqlalchemy")

Fetch = Callable[[], Awaitable[Any]]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass(frozen=True)
class Peers:
    """One row, asked by each of them; `asyncpg_unreset` is its pool without the reset of a session at its return."""

    ours: Fetch
    ours_ad_hoc: Fetch
    asyncpg: Fetch
    asyncpg_unreset: Fetch
    sqlalchemy: Fetch


async def _nothing(_: object) -> None:
    """In place of the reset."""


@asynccontextmanager
async def _peers(url: str) -> AsyncIterator[Peers]:
    settings = PoolSettings(min_size=2, max_size=SIZE, operator_reserve=5)
    database = Database(url, Queries(), settings, Recorder(), breaker=CircuitBreaker("postgres"))
    await database.open()
    pool = await asyncpg.create_pool(url, min_size=SIZE, max_size=SIZE)
    unreset = await asyncpg.create_pool(url, min_size=SIZE, max_size=SIZE, reset=_nothing)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=SIZE, max_overflow=0)
    text = sqlalchemy.text(SQL)

    async def through_sqlalchemy() -> Any:
        async with engine.connect() as connection:
            return (await connection.execute(text)).all()

    try:
        yield Peers(
            ours=lambda: database.fetch_all(NAME),
            ours_ad_hoc=lambda: database.fetch_all(SQL),
            asyncpg=lambda: pool.fetch(SQL),
            asyncpg_unreset=lambda: unreset.fetch(SQL),
            sqlalchemy=through_sqlalchemy,
        )
    finally:
        await engine.dispose()
        await pool.close()
        await unreset.close()
        await database.close()


async def _sequential(fetch: Fetch, calls: int = CALLS) -> float:
    """Seconds of one call after another, for one of them."""
    began = time.perf_counter()
    for _ in range(calls):
        await fetch()
    return (time.perf_counter() - began) / calls


async def _at_once(fetch: Fetch, calls: int = CALLS_OF_A_TASK) -> list[float]:
    """Seconds of each call, made by fifty tasks on ten connections."""
    times: list[float] = []

    async def task() -> None:
        for _ in range(calls):
            began = time.perf_counter()
            await fetch()
            times.append(time.perf_counter() - began)

    await asyncio.gather(*(task() for _ in range(TASKS)))
    return times


async def _compare(url: str, names: tuple[str, ...], measure: Callable[[Fetch], Awaitable[Any]]) -> dict[str, list[Any]]:
    """Each peer measured once a round, in turns; a first round is thrown away."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    async with _peers(url) as peers:
        for round_number in range(ROUNDS + 1):
            for name in names[round_number % len(names) :] + names[: round_number % len(names)]:
                result = await measure(getattr(peers, name))
                if round_number:
                    found[name].append(result)
    return found


def _run(loop: str, work: Awaitable[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(work)  # type: ignore[arg-type]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


@pytest.fixture(scope="module", autouse=True)
def versions() -> None:
    """What was compared."""
    print(
        f"\nPython {platform.python_version()}, asyncpg {asyncpg.__version__}, SQLAlchemy {sqlalchemy.__version__},"
        f" uvloop {uvloop.__version__}, {SIZE} connections, medians of {ROUNDS} rounds"
    )


@pytest.mark.parametrize("loop", LOOPS)
def test_one_row_in_sequence(database_url: str, loop: str) -> None:
    """`fetch_all` takes at most 1.15 times as long as asyncpg's `pool.fetch`."""
    medians = {name: statistics.median(found) for name, found in _run(loop, _compare(database_url, NAMES, _sequential)).items()}
    for name, seconds in medians.items():
        print(f"{loop} one row in sequence, {name}: {seconds * 1e6:.0f} us, {seconds / medians['asyncpg']:.2f} of pool.fetch")
    assert medians["ours"] <= 1.15 * medians["asyncpg"]
    assert medians["ours_ad_hoc"] <= 1.15 * medians["asyncpg"]


@pytest.mark.parametrize("loop", LOOPS)
def test_one_row_by_fifty_tasks(database_url: str, loop: str) -> None:
    """P95 at least twice as good as that of asyncpg's pool, and three times the throughput of SQLAlchemy (asyncio)."""
    found = _run(loop, _compare(database_url, NAMES, _at_once))
    p95 = {name: statistics.median(_p95(times) for times in rounds) for name, rounds in found.items()}
    most = {name: statistics.median(max(times) for times in rounds) for name, rounds in found.items()}
    # By Little's law: fifty are always under way.
    rate = {name: statistics.median(TASKS / statistics.fmean(times) for times in rounds) for name, rounds in found.items()}
    for name in NAMES:
        print(
            f"{loop} 50 tasks, {name}: P95 {p95[name] * 1e3:.2f} ms ({p95['asyncpg'] / p95[name]:.1f}x better than asyncpg),"
            f" most {most[name] * 1e3:.0f} ms, {rate[name]:.0f}/s ({rate[name] / rate['sqlalchemy']:.1f}x SQLAlchemy)"
        )
    assert p95["asyncpg"] >= 2 * p95["ours"]
    if loop == "asyncio":
        assert rate["ours"] >= 3 * rate["sqlalchemy"]
