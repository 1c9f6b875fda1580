"""Short work done as an operation: it is on record like a long one, and who asked for it gets its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from core.errors import OperationError
from core.operations.operation import Operation, OperationRequest
from core.operations.operations import Operations
from core.ports import Progress

WAIT_SECONDS = 8.0  # Below the time that a page waits.


async def run_short(
    operations: Operations, request: OperationRequest, act: Callable[[], Awaitable[Mapping[str, Any]]]
) -> Operation:
    """The operation when it is over, or as it was begun when that takes long; raises OperationError unless it was done."""

    async def work(_progress: Progress) -> Mapping[str, Any]:
        return await act()

    started = await operations.start(request, work)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            over = await operations.wait(started.operation.id)
    except TimeoutError:
        return started.operation
    if over.state != "done":
        raise OperationError(f"{request.title}: {over.error or over.state}", over.next_step)
    return over
