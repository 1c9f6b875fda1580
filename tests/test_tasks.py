"""Ending tasks: a swallowed cancellation does not hang a close."""

from __future__ import annotations

import asyncio

import pytest

from core.tasks import end_tasks


async def test_a_task_that_swallows_cancellations_is_ended_all_the_same() -> None:
    """The first two cancellations are lost, as a library may lose them; the third ends it."""
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end_tasks([task])

    assert (task.cancelled(), lost) == (True, 2)


async def test_what_a_task_raises_does_not_stop_the_others_end() -> None:
    """One that fails while it is cancelled is done, and so are its neighbours."""

    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while ending")

    async def waits() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(fails()), asyncio.create_task(waits())]
    await asyncio.sleep(0)
    await end_tasks(tasks)

    assert all(task.done() for task in tasks)
    with pytest.raises(ValueError, match="while ending"):
        tasks[0].result()
