"""Held operations: by their own process, by another one, through an outage; what cannot be held says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import OperationError
from core.operations import Operations, Pause
from core.ports import Progress
from tests.operations.conftest import Opener
from tests.operations.work import Held, request
from tests.support import wait_until_async


class Steps:
    """Work of many steps that waits for its pause between them; it is over when it is told so."""

    def __init__(self) -> None:
        self.pause = Pause()
        self.enough = False
        self.steps = 0

    async def __call__(self, progress: Progress) -> Mapping[str, Any]:
        while not self.enough:
            await self.pause.wait()
            await asyncio.sleep(0)
            self.steps += 1
            progress("steps", self.steps, 0)
        return {"steps": self.steps}

    async def stands(self) -> bool:
        """Whether no step follows any more."""
        before = self.steps
        for _ in range(20):
            await asyncio.sleep(0)
        return self.steps == before


async def test_pause_and_resume(operations: Operations) -> None:
    """No step follows while it is held, it is said by whom, and the rate begins anew."""
    steps = Steps()
    number = (await operations.start(request(), steps, steps.pause)).operation.id
    await wait_until_async(lambda: steps.steps > 10)
    held = await operations.pause(number, "Ann")
    assert (held.paused_by, held.pausable, held.state, held.rate_per_second) == ("Ann", True, "running", None)
    await asyncio.sleep(0)
    assert await steps.stands()
    assert (await operations.resume(number)).paused_by is None
    before = steps.steps
    await wait_until_async(lambda: steps.steps > before)
    steps.enough = True
    over = await operations.wait(number)
    assert (over.state, over.paused_by) == ("done", None)
    with pytest.raises(OperationError, match="over already"):
        await operations.pause(number, "Ann")


async def test_another_process_holds_it(open_operations: Opener, database_url: str) -> None:
    """Within a heartbeat; the last word counts, whichever process said it, and both tell the same."""
    own, other = await open_operations(database_url), await open_operations(database_url)
    steps = Steps()
    number = (await own.start(request(), steps, steps.pause)).operation.id
    assert (await other.pause(number, "Ann")).paused_by == "Ann"
    await wait_until_async(lambda: steps.pause.held)
    assert (await own.get(number)).paused_by == "Ann"
    await own.resume(number)
    assert not steps.pause.held
    while (await other.get(number)).paused_by is not None:
        await asyncio.sleep(0)
    assert (await own.get(number)).paused_by is None
    steps.enough = True
    assert (await other.wait(number)).state == "done"


async def test_a_held_one_can_be_cancelled(operations: Operations) -> None:
    """It ends without being resumed."""
    steps = Steps()
    number = (await operations.start(request(), steps, steps.pause)).operation.id
    await operations.pause(number, "Ann")
    await operations.cancel(number, "Ben")
    over = await operations.wait(number)
    assert (over.state, over.cancelled_by, over.paused_by) == ("cancelled", "Ben", None)


async def test_what_cannot_be_held(operations: Operations) -> None:
    """Work without a pause says so, and runs on."""
    work = Held()
    number = (await operations.start(request(), work)).operation.id
    with pytest.raises(OperationError, match="cannot be paused"):
        await operations.pause(number, "Ann")
    work.let_go.set()
    assert (await operations.wait(number)).state == "done"
