"""Operations: start, watch, cancel and remember, inside one process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

from core.errors import DependencyDown, ImportFileError, OperationError
from core.operations import Operation, Operations
from core.ports import Progress
from tests.operations.conftest import Opener
from tests.operations.work import Held, at_once, request
from tests.servers import fetch_value
from tests.support import wait_until, wait_until_async

LOCKS_AND_SESSIONS = """
SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = d.oid)
     + (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'console operations' AND datid = d.oid)
FROM pg_database AS d WHERE datname = current_database()
"""


async def _over(operations: Operations, operation_id: int) -> Operation:
    """The operation, when its outcome is also written."""
    await operations.wait(operation_id)
    await wait_until_async(lambda: operations._keeper.job(operation_id) is None)
    return await operations.get(operation_id)


async def test_what_was_run_is_remembered(operations: Operations) -> None:
    """Who, what, with which commands, how far and with which result."""
    started = await operations.start(request(parameters={"file": "a.csv"}), at_once)

    operation = await _over(operations, started.operation.id)

    assert started.created
    assert operation.state == "done"
    assert (operation.operator, operation.title, operation.key) == ("local operator", "Import properties", "import:properties")
    assert operation.parameters == {"file": "a.csv"}
    assert operation.commands == ("COPY properties",)
    assert (operation.what, operation.done, operation.total, operation.result) == ("rows", 3, 3, {"rows": 3})
    assert operation.finished_at is not None
    assert operation.finished_at >= operation.started_at


async def test_one_runs_at_a_time_under_a_key(operations: Operations) -> None:
    """A second start returns the first; another key and the same one afterwards start anew."""
    work = Held()
    first = await operations.start(request(), work)

    second = await operations.start(request(operator="somebody else"), at_once)
    other = await operations.start(request("import:leads"), at_once)

    assert not second.created
    assert second.operation.id == first.operation.id
    assert other.created
    work.let_go.set()
    await operations.wait(first.operation.id)
    assert (await operations.start(request(), at_once)).created


async def test_many_clicks_at_once_start_one(operations: Operations) -> None:
    """Twenty starts of one key in the same moment: one is created."""
    work = Held()

    started = await asyncio.gather(*(operations.start(request(), work) for _ in range(20)))

    assert sum(item.created for item in started) == 1
    assert len({item.operation.id for item in started}) == 1


async def test_a_failure_says_what_to_do(operations: Operations) -> None:
    """An error of core keeps its next step; any other one is named, and points to the log."""

    async def refused(_progress: Progress) -> Mapping[str, Any]:
        raise ImportFileError("Line 3 has no price.", "Map a column to price.")

    async def broken(_progress: Progress) -> Mapping[str, Any]:
        raise ZeroDivisionError("division by zero")

    told = await _over(operations, (await operations.start(request(), refused)).operation.id)
    crashed = await _over(operations, (await operations.start(request(), broken)).operation.id)

    assert (told.state, told.error, told.next_step) == ("failed", "Line 3 has no price.", "Map a column to price.")
    assert (crashed.state, crashed.error) == ("failed", "ZeroDivisionError: division by zero")
    assert "log" in crashed.next_step


async def test_a_cancelled_one_says_by_whom(operations: Operations) -> None:
    """The work is ended through asyncio; a second wish changes nothing, and one that is over cannot be cancelled."""
    work = Held()
    started = await operations.start(request(), work)
    await work.started.wait()

    await operations.cancel(started.operation.id, "anna")
    await operations.cancel(started.operation.id, "ben")
    operation = await _over(operations, started.operation.id)

    assert work.ended.is_set()
    assert (operation.state, operation.cancelled_by) == ("cancelled", "anna")
    with pytest.raises(OperationError, match="over already"):
        await operations.cancel(started.operation.id, "anna")


async def test_one_cancelled_before_it_ran_is_over_too(operations: Operations) -> None:
    """The task never got a turn of the loop."""
    started = await operations.start(request(), Held())

    cancelled = await operations.cancel(started.operation.id, "anna")

    assert cancelled.cancelled_by == "anna"
    assert (await operations.wait(started.operation.id)).state == "cancelled"


@pytest.mark.parametrize("number", [0, -1, 4711, 2**63, 10**30])
async def test_there_is_no_such_operation(operations: Operations, number: int) -> None:
    """Whatever number is asked for, the answer is a sentence."""
    with pytest.raises(OperationError, match="no operation"):
        await operations.get(number)
    with pytest.raises(OperationError, match="no operation"):
        await operations.cancel(number, "anna")


async def test_lists_are_narrowed_and_paged(operations: Operations) -> None:
    """Newest first; by kind, state and operator; from one on backwards."""
    ids = [
        (await _over(operations, (await operations.start(request(f"k{n}", kind=kind, operator=who), at_once)).operation.id)).id
        for n, (kind, who) in enumerate([("import", "anna"), ("load", "anna"), ("import", "ben")])
    ]
    work = Held()
    running = await operations.start(request("k9", kind="load", operator="ben"), work)

    async def found(**filters: Any) -> list[int]:
        return [operation.id for operation in await operations.list(**filters)]

    assert await found() == [running.operation.id, *reversed(ids)]
    assert await found(kind="import") == [ids[2], ids[0]]
    assert await found(operator="anna", kind="load") == [ids[1]]
    assert await found(state="running") == [running.operation.id]
    assert await found(limit=2, before_id=ids[2]) == [ids[1], ids[0]]
    assert [item.id for item in operations.running_here()] == [running.operation.id]
    choices = await operations.choices()
    assert (choices.kinds, choices.operators) == (("import", "load"), ("anna", "ben"))


async def test_before_the_store_is_set_up_nothing_starts(open_operations: Opener, empty_database_url: str) -> None:
    """Without the tables each call says what to wait for."""
    operations = await open_operations(empty_database_url)

    with pytest.raises(OperationError, match="not set up") as caught:
        await operations.start(request(), at_once)
    assert "set-up" in caught.value.next_step
    with pytest.raises(OperationError, match="not set up"):
        await operations.list()


async def test_a_store_that_is_down_is_said(open_operations: Opener) -> None:
    """Nothing listens on port 1: the error is a dependency's, and comes at once."""
    operations = await open_operations("postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(DependencyDown):
        await operations.start(request(), at_once)


async def test_the_end_of_the_process_interrupts(open_operations: Opener, operations: Operations, database_url: str) -> None:
    """close() cancels what runs and leaves a stamp with the next step; afterwards nothing can be started."""
    dying = await open_operations(database_url)
    work = Held()
    started = await dying.start(request(resumable=True), work)
    await work.started.wait()

    await dying.close()

    operation = await operations.get(started.operation.id)
    assert work.ended.is_set()
    assert operation.state == "interrupted"
    assert "goes on where it stopped" in operation.next_step
    with pytest.raises(OperationError, match="not open"):
        await dying.start(request(), at_once)


async def test_work_that_ignores_its_end_does_not_hold_up_close(open_operations: Opener, database_url: str) -> None:
    """close() waits for it a second, then stamps it as interrupted and goes."""
    dying = await open_operations(database_url)
    release = asyncio.Event()

    async def deaf(_progress: Progress) -> Mapping[str, Any]:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return {}

    started = await dying.start(request(), deaf)
    await asyncio.sleep(0)
    async with asyncio.timeout(3):
        await dying.close()

    assert (await asyncio.to_thread(fetch_value, database_url, "SELECT state FROM console.operations")) == "interrupted"
    release.set()
    assert (await dying.wait(started.operation.id) if dying._keeper.jobs() else started.operation).id == started.operation.id


async def test_a_hundred_starts_leave_nothing_behind(operations: Operations, database_url: str) -> None:
    """No connection, no lock, no task: one after another, and many at once."""
    for _ in range(50):
        await operations.wait((await operations.start(request(), at_once)).operation.id)
    started = await asyncio.gather(*(operations.start(request(f"key-{n}"), at_once) for n in range(50)))
    for item in started:
        await operations.wait(item.operation.id)

    await wait_until_async(lambda: not operations._keeper.jobs())
    await asyncio.to_thread(wait_until, lambda: fetch_value(database_url, LOCKS_AND_SESSIONS) == 0)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("operation-")] == []
    assert fetch_value(database_url, "SELECT count(*) FROM console.operations WHERE state = 'done'") == 100


async def test_progress_is_written_at_most_twice_a_second(
    operations: Operations, platform_connection: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Two seconds of reports as fast as they come are a handful of writes, the last of which has the last word."""
    await platform_connection.execute(
        "CREATE SEQUENCE writes; CREATE FUNCTION written() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM nextval(''writes''); RETURN NEW; END';"
        "CREATE TRIGGER written BEFORE UPDATE ON console.operations FOR EACH ROW EXECUTE FUNCTION written()"
    )
    loop = asyncio.get_running_loop()

    async def chatty(progress: Progress) -> Mapping[str, Any]:
        ends, reports = loop.time() + 2.0, 0
        while loop.time() < ends:
            reports += 1
            progress("rows", reports, 0)
            await asyncio.sleep(0)
        return {"reports": reports}

    operation = await _over(operations, (await operations.start(request(), chatty)).operation.id)

    assert operation.result is not None
    assert operation.done == operation.result["reports"] > 1_000
    assert await platform_connection.fetchval("SELECT last_value FROM writes") <= 7


async def test_what_is_stored_is_bounded(operations: Operations) -> None:
    """A huge result is cut and says so; NUL, lone surrogates, NaN and foreign types do not lose the outcome."""

    async def rubbish(progress: Progress) -> Mapping[str, Any]:
        progress("ro\x00ws \ud800", 10**40, -1)
        return {"big": "x" * 300_000, "many": list(range(100_000)), "nul\x00": "\x00\ud800", "nan": float("nan"), "type": int}

    operation = await _over(operations, (await operations.start(request(title="t\x00" * 400), rubbish)).operation.id)

    assert operation.state == "done"
    assert operation.result is not None
    assert "cut" in operation.result["big"]
    assert "many" in operation.result["truncated"]
    assert operation.result["nan"] is None
    assert operation.done == 2**63 - 1
    assert len(operation.title) < 400
