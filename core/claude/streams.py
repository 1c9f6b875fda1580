"""Streams: a call that tells its text as it comes, as something to iterate over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from core.claude.messages import OnText
from core.tasks import end_tasks

T = TypeVar("T")


async def streamed(call: Callable[[OnText], Coroutine[Any, Any, T]]) -> AsyncIterator[str | T]:
    """The pieces of text that a call tells, then what it returns; raises its error, and ends it when left early."""
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    task = asyncio.create_task(call(pieces.put_nowait), name="claude stream")
    task.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        yield await task
    finally:
        await end_tasks([task])
