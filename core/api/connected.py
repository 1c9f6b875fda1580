"""Connected: work that is done only as long as its client waits for it, since an answer of Claude's costs money."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from core.tasks import end_tasks

T = TypeVar("T")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work returns; it is cancelled, and ClientDisconnect raised, when the client hangs up. The body must be read."""
    task = asyncio.create_task(work, name="api claude")
    gone = asyncio.create_task(_hung_up(request), name="api hang-up")
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        await end_tasks([task, gone])


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
