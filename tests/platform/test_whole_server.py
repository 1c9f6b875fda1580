"""The whole server: differences of two looks at real servers, what begins anew, and why there is nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.cache.redis_tier import RedisTier
from core.cache.redis_tier.counters import counters as redis_counters
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.database.server_counts import ServerCounter, ServerCounts
from core.health import DependencyStatus
from core.platform.whole_server import WholeServer
from tests.cache.redis_server import RedisServer
from tests.servers import Servers, execute

LOOKS = "tests look"
NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Counts(ServerCounter):
    """Looks that are told in advance, for what no shared server may do: restart, and forget."""

    def __init__(self, *looks: ServerCounts) -> None:
        self._told = iter(looks)

    async def look(self) -> ServerCounts:
        """The next."""
        return next(self._told)

    async def text(self, query_id: int) -> str:
        """Of any statement."""
        return f"SELECT {query_id}"


def counts(statements: dict[int, tuple[int, float]], **others: object) -> ServerCounts:
    """One look at statements of one user."""
    look = ServerCounts(connections=3, max_connections=100, started_at=NOW, standby=False, reset_at=NOW)
    return replace(look, statements={(10, key, True): count for key, count in statements.items()}, **others)


@pytest.fixture(scope="module")
def redis_server(servers: Servers) -> Iterator[RedisServer]:
    """One of these tests' own: nobody else is counted."""
    with RedisServer(servers.folder) as server:
        yield server


@pytest.fixture
async def looking(database_url: str) -> AsyncIterator[Database]:
    """The way past the pool."""
    opened = Database(database_url, Queries(), PoolSettings(max_size=1, read_only=True, application_name=LOOKS))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def tier(redis_server: RedisServer) -> AsyncIterator[RedisTier]:
    """A client of that Redis."""
    opened = RedisTier(redis_server.url, 5.0)
    yield opened
    await opened.close()


async def test_two_looks_make_a_difference(
    database_url: str, looking: Database, redis_server: RedisServer, tier: RedisTier
) -> None:
    """What everybody asked between them, without what the looks asked; means, and the statement that took most."""
    execute(database_url, "CREATE EXTENSION pg_stat_statements")
    execute(database_url, "SELECT md5('long ago')")
    clock = Clock()
    whole = WholeServer(ServerCounter(looking, LOOKS), tier, tuple, clock=clock)
    await whole.look()
    assert {name: item.value for name, item in whole.figures().items() if name != "database_pool"} == {
        "database_p95": None, "cache_hit_rate": None, "cache_read_p95": None,
    }  # fmt: skip
    clock.now += 10
    await whole.look()
    assert "No program asked" in whole.figures()["database_p95"].note

    for _ in range(3):
        execute(database_url, "SELECT count(*) FROM generate_series(1, 20000)")
    with redis_server.client() as client:
        client.set("a", 1)
        client.mget("a", "b", "c", "a")
    clock.now += 10
    await whole.look()
    clock.now += 4
    found = whole.figures()

    database, pool = found["database_p95"], found["database_pool"]
    assert (database.statistic, database.samples, database.window_seconds, database.age_seconds) == ("mean", 3, 20.0, 4.0)
    assert database.value is not None
    assert 1e-5 < database.value < 1.0
    assert "generate_series" in database.note
    assert "P95" not in database.text + database.note
    assert pool.value is not None
    assert 0 < pool.value < 1
    assert (found["cache_hit_rate"].value, found["cache_hit_rate"].samples) == (0.5, 4)
    assert (found["cache_read_p95"].statistic, found["cache_read_p95"].samples) == ("mean", 2)


async def test_only_the_last_five_minutes_count(tier: RedisTier) -> None:
    """A dip is not hidden by what was before, and a statement that was forgotten and met again counts from nothing."""
    clock, looks = Clock(), [counts({1: (1_000 + 10 * n, 5.0 + n)}) for n in range(40)]
    looks.append(counts({1: (7, 0.7)}, forgotten=2))
    whole = WholeServer(Counts(*looks), tier, tuple, clock=clock)
    for _ in range(40):
        await whole.look()
        clock.now += 10
    figure = whole.figures()["database_p95"]
    assert (figure.samples, figure.value, figure.window_seconds) == (300, pytest.approx(0.1), 300)

    await whole.look()
    figure = whole.figures()["database_p95"]
    assert figure.samples == 290 + 7
    assert "were forgotten" in figure.note


async def test_more_statements_than_are_read(tier: RedisTier) -> None:
    """One that is new among the first ones may be old: what it counted long ago is not of now."""
    clock = Clock()
    whole = WholeServer(
        Counts(counts({1: (10, 1.0)}, full=True), counts({1: (12, 1.4), 2: (9_000, 99.0)})), tier, tuple, clock=clock
    )
    for _ in range(2):
        await whole.look()
        clock.now += 10
    figure = whole.figures()["database_p95"]
    assert (figure.samples, figure.value) == (2, pytest.approx(0.2))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"started_at": NOW + timedelta(hours=1)}, "restarted"),
        ({"reset_at": NOW + timedelta(hours=1)}, "statistics were reset"),
        ({"standby": True}, "another server"),
    ],
)
async def test_what_begins_anew_is_said(tier: RedisTier, change: dict[str, object], why: str) -> None:
    """Nothing is subtracted over a restart, a reset or a failover."""
    clock = Clock()
    looks = (counts({1: (100, 1.0)}), counts({1: (200, 9.0)}), counts({1: (900, 99.0)}, **change))
    whole = WholeServer(Counts(*looks, counts({1: (904, 99.2)}, **change)), tier, tuple, clock=clock)
    for _ in range(3):
        await whole.look()
        clock.now += 10
    assert whole.figures()["database_p95"].value is None
    await whole.look()
    figure = whole.figures()["database_p95"]
    assert (figure.samples, figure.value) == (4, pytest.approx(0.05))
    assert why in figure.note


async def test_redis_that_was_restarted(redis_server: RedisServer, tier: RedisTier) -> None:
    """Counters that went back make no figure, and it is said."""
    clock = Clock()
    whole = WholeServer(Counts(*[counts({})] * 3), tier, tuple, clock=clock)
    for step in range(3):
        with redis_server.client() as client:
            client.mget("x", "y")
        if step == 2:
            redis_server.restart()
        clock.now += 10
        await whole.look()
    figure = whole.figures()["cache_hit_rate"]
    assert figure.value is None
    assert "restarted" in figure.note


async def test_why_there_is_nothing(database_url: str, looking: Database, redis_server: RedisServer, tier: RedisTier) -> None:
    """No extension, no right, a server that is down: the note says what helps, and nothing is created."""
    clock, down = Clock(), list[DependencyStatus]()
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "few", "on", ">secret", "~*", "+@read", "+@connection")
    few = RedisTier(redis_server.url.replace("unix://", "unix://few:secret@"), 5.0)
    whole = WholeServer(ServerCounter(looking, LOOKS), few, lambda: tuple(down), clock=clock)
    await whole.look()
    assert "CREATE EXTENSION pg_stat_statements;" in whole.figures()["database_p95"].note
    for statement in ("CREATE", "DROP"):
        execute(database_url, f"{statement} EXTENSION pg_stat_statements")
        await whole.look()
        assert whole.figures()["database_p95"].note
    await whole.look()
    assert "CREATE EXTENSION pg_stat_statements;" in whole.figures()["database_p95"].note
    assert whole.figures()["database_pool"].value is not None
    assert "+info" in whole.figures()["cache_hit_rate"].note
    assert await looking.fetch_value("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") == 0

    at = datetime.now(UTC)
    down.append(
        DependencyStatus(name="postgresql", title="", where="", state="down", since=at, error="Gone.", next_step="Start it.")
    )
    clock.now += 30
    await whole.look()
    pool = whole.figures()["database_pool"]
    assert (pool.value is not None, pool.age_seconds) == (True, 30.0)
    assert pool.note.startswith("Gone. Start it.")
    clock.now += 300
    assert whole.figures()["database_pool"].value is None
    await few.close()


def test_counters_of_redis_that_were_reset() -> None:
    """With the same run: what went back is no difference."""
    before, after = (
        redis_counters({"run_id": "a", "keyspace_hits": hits, "cmdstat_get": "calls=4,usec=2000000"}) for hits in ("90", "3")
    )
    assert after.moved(before) is None
    moved = before.moved(after)
    assert moved is not None
    assert (moved.hits, moved.calls, before.seconds) == (87, 0, 2.0)
