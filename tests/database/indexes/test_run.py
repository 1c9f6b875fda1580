"""Index runs: built once, repaired, cancelled, taken back; the record says what is there."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from core.database.indexes.run import IndexRun
from core.database.indexes.session import IndexSession
from core.database.indexes.shipped import IndexSet
from core.database.queries import Queries
from core.errors import OperationError, QueryError, SchemaError
from tests.database.indexes.conftest import IMPATIENT, NAME, PATIENT, Connect, Told, building, left_of, stamps, until_waiting
from tests.support import wait_until_async

BUILDS = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()"


async def broken(connect: Connect, index_set: IndexSet, old_snapshot: asyncpg.Connection, name: str = NAME) -> None:
    """Leave an INVALID index as a build does that is cancelled."""
    builder, other = await connect(), await connect()
    alone_building = asyncio.ensure_future(builder.execute(index_set[name].create_statement))
    pid = await until_waiting(other)
    await other.execute("SELECT pg_cancel_backend($1)", pid)
    with pytest.raises(asyncpg.QueryCanceledError):
        await alone_building
    assert await left_of(other, name) is False


async def test_up_and_down(run: IndexRun, index_set: IndexSet, platform_connection) -> None:
    """Built and on record; built again it is adopted; down takes both back, and down again finds nothing."""
    notes, told = index_set[NAME], Told()

    built = await run.up(notes, told)
    assert (built.action, built.stamped, built.record) == ("built", True, "")
    assert await left_of(platform_connection) is True
    assert await stamps(platform_connection) == {"1002"}
    assert told.lines[-1][1] == 1_000
    assert (await run.up(notes, told)).action == "adopted"

    assert (await run.down(notes, told)).action == "dropped"
    assert await left_of(platform_connection) is None
    assert await stamps(platform_connection) == {"0001"}
    assert (await run.down(notes, told)).action == "absent"


async def test_what_a_failed_build_left_is_repaired(
    run: IndexRun, connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """The broken one is dropped and built; CREATE INDEX IF NOT EXISTS would have said done."""
    await broken(connect, index_set, old_snapshot)
    await old_snapshot.execute("ROLLBACK")
    assert await stamps(platform_connection) == {"0001"}

    assert (await run.up(index_set[NAME], Told())).action == "built"
    assert await left_of(platform_connection) is True


async def test_another_definition_is_an_error(run: IndexRun, index_set: IndexSet, platform_connection) -> None:
    """It is neither adopted nor dropped, and the next step says what to do."""
    await platform_connection.execute(f"CREATE INDEX {NAME} ON leads (score)")
    for refused in (run.up, run.down):
        with pytest.raises(SchemaError, match=r"another index|not dropped") as caught:
            await refused(index_set[NAME], Told())
        assert "Rename" in caught.value.next_step
    assert await left_of(platform_connection) is True
    assert await stamps(platform_connection) == {"0001"}


async def test_the_same_definition_in_other_words_is_adopted(run: IndexRun, index_set: IndexSet, database_url: str) -> None:
    """On a column of another type PostgreSQL writes the same index differently: the copy tells."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE leads ALTER status TYPE varchar(20)")
    await connection.execute(index_set[NAME].create_statement)

    assert (await run.up(index_set[NAME], Told())).action == "adopted"
    await connection.close()


async def test_a_cancelled_run_leaves_nothing(run: IndexRun, index_set: IndexSet, old_snapshot, platform_connection) -> None:
    """The build ends, its index is dropped, the record stays; the operator reads whom the build waited for."""
    told = Told()
    running = asyncio.create_task(run.up(index_set[NAME], told))
    await until_waiting(platform_connection)
    await wait_until_async(lambda: told.says("nightly report"))

    running.cancel()
    running.cancel()  # Impatient operators press twice.
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await left_of(platform_connection) is None
    assert await stamps(platform_connection) == {"0001"}
    assert await building(platform_connection) is None


async def test_locks_that_are_not_had_are_tried_again_and_then_named(
    connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """After the last try nothing is left of the build, and the next step names the preflight."""
    run = IndexRun(connect, Queries(), patience=IMPATIENT)
    with pytest.raises(OperationError, match="in 2 tries") as caught:
        await run.up(index_set[NAME], Told())
    assert "preflight" in caught.value.next_step
    assert await left_of(platform_connection) is None


async def test_each_try_is_more_patient_than_the_one_before(
    connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """A report that is longer than the first wait must not end every try, each with a whole build behind it."""
    connection = await connect()
    with pytest.raises(OperationError, match="in 2 tries"):
        await IndexSession(connection, Queries(), IMPATIENT).build(index_set[NAME])
    assert await connection.fetchval("SHOW lock_timeout") == "400ms"


async def test_a_build_that_cannot_be_leaves_nothing(run: IndexRun, index_set: IndexSet, platform_connection) -> None:
    """PostgreSQL's own words, and no broken index, where a value is too long for a b-tree."""
    await platform_connection.execute(
        "INSERT INTO ai_responses (prompt_hash, prompt_name, model_version, response, input_tokens, output_tokens, source)"
        " SELECT string_agg(md5(n::text), ''), 'a', 'b', '{}', 1, 1, 'rehearsal' FROM generate_series(1, 2000) AS n"
    )
    with pytest.raises(QueryError, match="index row"):
        await run.up(index_set["ai_responses_prompt_idx"], Told())
    assert await left_of(platform_connection, "ai_responses_prompt_idx") is None


async def test_two_runs_take_turns_and_the_second_sees_the_first(
    run: IndexRun, connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """One builds, the other says who it waits for and then goes on: never two builds at once in a database."""
    second, told = IndexRun(connect, Queries(), name="console index two", patience=PATIENT), Told()
    one = asyncio.create_task(run.up(index_set[NAME], Told()))
    await until_waiting(platform_connection)
    other = asyncio.create_task(second.up(index_set["properties_price_idx"], told))

    await wait_until_async(lambda: told.says("waiting for its turn") and told.says("console index one"))
    assert await platform_connection.fetchval(BUILDS) == 1
    await old_snapshot.execute("ROLLBACK")
    assert [(await one).action, (await other).action] == ["built", "built"]
    assert await stamps(platform_connection) == {"1002", "1005"}


async def test_a_build_without_its_console_is_followed(
    run: IndexRun, connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """A session that goes on building alone is found, watched, and its valid index put on record."""
    alone, told = await connect(), Told()
    alone_building = asyncio.ensure_future(alone.execute(index_set[NAME].create_statement))
    await until_waiting(platform_connection)
    following = asyncio.create_task(run.follow(index_set[NAME], told))
    await wait_until_async(lambda: told.says("old snapshots"))

    await old_snapshot.execute("ROLLBACK")
    assert (await following).stamped is True
    await alone_building
    assert await stamps(platform_connection) == {"1002"}


async def test_a_followed_build_can_be_cancelled(
    run: IndexRun, connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """The build that nobody owns ends and leaves nothing."""
    alone, told = await connect(), Told()
    alone_building = asyncio.ensure_future(alone.execute(index_set[NAME].create_statement))
    await until_waiting(platform_connection)
    following = asyncio.create_task(run.follow(index_set[NAME], told))
    await wait_until_async(lambda: told.says("old snapshots"))

    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    with pytest.raises(asyncpg.QueryCanceledError):
        await alone_building
    assert await left_of(platform_connection) is None


async def test_a_follow_that_is_cancelled_at_its_first_word_ends_the_build(
    run: IndexRun, connect: Connect, index_set: IndexSet, old_snapshot, platform_connection
) -> None:
    """Also before it has found out whose build it is."""
    for _ in range(5):
        alone, told = await connect(), Told()
        alone_building = asyncio.ensure_future(alone.execute(index_set[NAME].create_statement))
        await until_waiting(platform_connection)
        following = asyncio.create_task(run.follow(index_set[NAME], told))
        await wait_until_async(lambda: bool(told.lines))  # noqa: B023

        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        with pytest.raises(asyncpg.QueryCanceledError):
            await asyncio.wait_for(alone_building, 20)
        assert await left_of(platform_connection) is None


async def test_an_index_of_a_partitioned_table_is_left_alone(run: IndexRun, index_set: IndexSet, platform_connection) -> None:
    """One that is not valid there waits for its partitions: it is no broken one."""
    await platform_connection.execute(
        "DROP TABLE ai_responses;"
        "CREATE TABLE ai_responses (prompt_hash text, created_at timestamptz) PARTITION BY HASH (prompt_hash);"
        "CREATE TABLE part PARTITION OF ai_responses FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
        "CREATE INDEX ai_responses_prompt_idx ON ONLY ai_responses (prompt_hash, created_at DESC)"
    )
    name = "ai_responses_prompt_idx"
    assert await left_of(platform_connection, name) is False
    for refused in (run.up, run.down):
        with pytest.raises(SchemaError, match="partition"):
            await refused(index_set[name], Told())
    assert await left_of(platform_connection, name) is False
