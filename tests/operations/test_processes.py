"""Operations over several processes: one at a time, cancelled from anywhere, and told apart from what was left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from core.operations import Operation, Operations
from core.operations.records import GRACE_SECONDS
from tests.operations.process import OperationProcess
from tests.operations.work import Held, at_once, request

LOST_WITHIN_SECONDS = GRACE_SECONDS + 5


async def _until(operations: Operations, operation_id: int, so: Callable[[Operation], bool]) -> Operation:
    """Ask as a page does until it is so."""
    async with asyncio.timeout(LOST_WITHIN_SECONDS):
        while True:
            operation = await operations.get(operation_id)
            if so(operation):
                return operation


@pytest.mark.parametrize("attempt", range(3))
async def test_two_processes_that_start_at_once_start_one(database_url: str, operations: Operations, attempt: int) -> None:
    """Both get the same operation, one of them created it, and the store knows of one."""
    key = f"import:{attempt}"
    with OperationProcess(database_url, key) as one, OperationProcess(database_url, key) as other:
        one.wait_ready()
        other.wait_ready()
        one.go()
        other.go()

        number, created = one.started()
        same_number, created_too = other.started()

        assert number == same_number
        assert created != created_too
        assert len(await operations.list()) == 1


@pytest.mark.slow
async def test_a_killed_owner_is_noticed_and_never_before(database_url: str, operations: Operations) -> None:
    """While it lives nobody marks it; after kill -9 it is interrupted, says so, and can be started again."""
    with OperationProcess(database_url) as owner:
        number, _ = owner.start()
        loop = asyncio.get_running_loop()
        ends = loop.time() + GRACE_SECONDS + 2
        while loop.time() < ends:
            assert (await operations.get(number)).state == "running"
            assert not (await operations.start(request(), at_once)).created

        owner.process.kill()
        operation = await _until(operations, number, lambda operation: not operation.running)

        assert operation.state == "interrupted"
        assert str(owner.process.pid) in operation.error
        assert operation.next_step == "Start it again."
        assert (await operations.start(request(), at_once)).created


@pytest.mark.slow
async def test_a_start_right_after_a_kill_waits_for_the_judgement(database_url: str, operations: Operations) -> None:
    """Whether the owner is dead or has only lost its connection is known after the grace; the start waits that long."""
    with OperationProcess(database_url) as owner:
        number, _ = owner.start()
        owner.process.kill()
        owner.process.wait()

        started = await operations.start(request(), at_once)

        assert started.created
        assert (await operations.get(number)).state == "interrupted"


async def test_any_process_cancels_any_operation(database_url: str, operations: Operations) -> None:
    """The owner sees the wish within a second, ends its work and writes who wanted it."""
    with OperationProcess(database_url) as owner:
        number, _ = owner.start()

        asked = await operations.cancel(number, "anna")
        operation = await operations.wait(number)

        assert asked.cancelled_by == "anna"
        assert (operation.state, operation.cancelled_by) == ("cancelled", "anna")
        assert await asyncio.to_thread(owner.line) == "cancelled"


async def test_an_operation_is_watched_from_elsewhere(database_url: str, operations: Operations) -> None:
    """Progress of one process is read by another, and waiting there ends with it."""
    work = Held()
    started = await operations.start(request(), work)
    await work.started.wait()
    work.progress("rows", 500, 2_000)
    with OperationProcess(database_url) as watcher:
        number, created = await asyncio.to_thread(watcher.start)

        assert (number, created) == (started.operation.id, False)
        work.let_go.set()
        assert await asyncio.to_thread(watcher.line) == "done"
