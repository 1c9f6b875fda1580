"""Traps of concurrent builds, each as PostgreSQL really springs it: who is waited for, what is left, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import asyncpg
import pytest

from core.database.indexes.catalog import Indexes
from core.database.indexes.clone import Trial
from core.database.indexes.cost import estimate
from core.database.indexes.progress import PHASES, TOTAL, thousandths
from core.database.indexes.run import IndexRun
from core.database.indexes.shape import IndexShape
from core.database.indexes.shipped import IndexSet
from core.database.queries import Queries
from core.errors import DependencyError, OperationError
from tests.database.conftest import Opened
from tests.database.indexes.conftest import IMPATIENT, NAME, Connect, Told, left_of, stamps, until_waiting

OTHER = "leads_created_idx"  # On the same table.


@pytest.mark.parametrize(
    ("begin", "ask", "waited_for"),
    [
        ("BEGIN", "fetchval", True),
        ("BEGIN", "execute", False),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "execute", True),
    ],
)
async def test_which_idle_transaction_a_build_waits_for(
    run: IndexRun, connect: Connect, index_set: IndexSet, platform_connection, begin: str, ask: str, waited_for: bool
) -> None:
    """One that never touched the table too, if it keeps a snapshot: after a driver's fetch it does, after plain SQL not."""
    idle = await connect()
    await idle.execute(begin)
    await getattr(idle, ask)("SELECT count(*) FROM markets")

    holders = await platform_connection.fetch(Queries()["index_holders"].sql, "leads", 0.0)
    assert [row["pid"] for row in holders] == ([idle.get_server_pid()] if waited_for else [])
    building = asyncio.create_task(run.up(index_set[NAME], Told()))
    if waited_for:
        await until_waiting(platform_connection)
        await idle.execute("ROLLBACK")
    assert (await building).action == "built"


async def test_a_waiting_build_stops_only_changes_of_the_table(
    opened: Opened, index_set: IndexSet, database_url: str, old_snapshot: asyncpg.Connection, platform_connection
) -> None:
    """Rows are read and written beside it, ALTER TABLE is not; the platform's limit of a statement's time does not end it."""
    database = await opened(database_url, command_timeout_seconds=0.1)
    run = IndexRun(database.connect, Queries())
    building = asyncio.create_task(run.up(index_set[NAME], Told()))
    pid = await until_waiting(platform_connection)

    await platform_connection.execute("SET lock_timeout = '200ms'")
    await platform_connection.execute(
        "INSERT INTO markets (id, market_name, state) VALUES ('x', 'X', 'TX'); INSERT INTO leads (market_id) VALUES ('x');"
        "UPDATE leads SET score = 5; SELECT count(*) FROM leads"
    )
    with pytest.raises(asyncpg.LockNotAvailableError):
        await platform_connection.execute("ALTER TABLE leads ADD COLUMN late int")
    age = "SELECT extract(epoch FROM clock_timestamp() - query_start) FROM pg_stat_activity WHERE pid = $1"
    assert await platform_connection.fetchval(age, pid) > 0.2
    await old_snapshot.execute("ROLLBACK")
    assert (await building).action == "built"


async def test_a_deadlock_with_a_build_of_somebody_else_is_mended(
    connect: Connect, index_set: IndexSet, old_snapshot: asyncpg.Connection, platform_connection
) -> None:
    """Two on one table wait for each other and PostgreSQL ends one: ours is built in the end, nothing broken of it is left."""
    database = await platform_connection.fetchval("SELECT current_database()")
    await platform_connection.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '50ms'")
    alone, told = await connect(), Told()
    theirs = asyncio.ensure_future(alone.execute(index_set[OTHER].create_statement))
    await until_waiting(platform_connection)
    run = IndexRun(connect, Queries(), patience=IMPATIENT)
    ours = asyncio.create_task(run.up(index_set[NAME], told))
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'leads'::regclass"
    async with asyncio.timeout(20):
        while not await platform_connection.fetchval(blocked):
            await asyncio.sleep(0)
    await old_snapshot.execute("ROLLBACK")

    (other,), outcome = await asyncio.gather(theirs, return_exceptions=True), await ours
    assert outcome.action == "built"
    assert await left_of(platform_connection) is True
    found = {one.notes.name: one.state.state for one in await Indexes(Queries(), index_set).status(platform_connection)}
    assert found[OTHER] == ("invalid" if isinstance(other, asyncpg.DeadlockDetectedError) else "valid")


async def test_a_drop_that_has_to_wait_too_long_says_what_is_left(
    run: IndexRun, connect: Connect, index_set: IndexSet, platform_connection
) -> None:
    """DROP INDEX CONCURRENTLY makes the index invalid before it waits: it is shown as broken, the next one takes it away."""
    notes, indexes = index_set[NAME], Indexes(Queries(), index_set)
    await run.up(notes, Told())
    reader, impatient = await connect(), IndexRun(connect, Queries(), patience=IMPATIENT)
    await reader.execute("BEGIN")
    await reader.fetchval("SELECT count(*) FROM leads")

    with pytest.raises(OperationError, match="in 2 tries"):
        await impatient.down(notes, Told())
    state = next(one for one in await indexes.status(platform_connection) if one.notes.name == NAME)
    assert (state.state.state, state.agrees) == ("invalid", False)

    await reader.execute("ROLLBACK")
    assert (await run.down(notes, Told())).action == "dropped"
    assert await left_of(platform_connection) is None
    assert await stamps(platform_connection) == {"0001"}


async def test_no_build_goes_through_a_pooler(opened: Opened, database_url: str) -> None:
    """A turn and a lock timeout would be somebody else's there: refused before anything is connected."""
    database = await opened(database_url, pooler="transaction")
    with pytest.raises(DependencyError, match="past the pooler") as caught:
        await database.connect()
    assert "DATABASE_OPERATOR_URL" in caught.value.next_step


@pytest.mark.parametrize(("memory_bytes", "spills"), [(64_000_000, True), (512_000_000, False)])
def test_a_sort_that_does_not_fit_the_memory_needs_room_too(memory_bytes: int, spills: bool) -> None:
    """More than the index itself, in temporary files, is part of what the preflight asks the disk for."""
    shape = IndexShape(name="i", method="btree", unique=False, parts=("score ",), key_count=1, predicate="")
    trial = Trial("fits", method="btree", columns=("score",), shape=shape)
    table = {
        "rows": 5e6, "table_bytes": 10**9, "updates": 0, "hot_updates": 0, "memory_bytes": memory_bytes, "memory": "",
        "never_analysed": False, "indexed_columns": (),
    }  # fmt: skip
    cost = estimate(table, [{"column_name": "score", "width": 4}], trial, 5e6)

    assert cost.size_bytes is not None
    assert cost.disk_bytes is not None
    assert (cost.sort_bytes > cost.size_bytes) is spills
    assert (cost.disk_bytes > 3 * cost.size_bytes) is spills


def test_progress_is_weighted_over_the_phases() -> None:
    """Each phase counts from zero, most count nothing: the sum never goes back, and a table read to its end is no index yet."""

    def row(phase: str, done: int) -> Mapping[str, object]:
        counts = {
            f"{what}_{side}": done if side == "done" else 4
            for what in ("blocks", "tuples", "lockers")
            for side in ("done", "total")
        }
        return {"phase": phase, **counts}

    told = [thousandths(row(phase, done)) for phase in PHASES if phase != "building index" for done in range(5)]
    assert told == sorted(told)
    assert told[-1] < TOTAL
    assert thousandths(row("building index: scanning table", 4)) == 150
    assert thousandths(row("a phase of another version", 4)) == 0
