"""Tasks: how a service ends those that it started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.2


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and wait until every one is done; what they raise is theirs.

    Cancels again and again: a library that waits under `asyncio.wait_for` may swallow a cancellation that arrives in the same
    turn of the loop as its answer (fixed only in Python 3.12), and would go on for ever.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
