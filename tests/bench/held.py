"""Held: how long a piece of work keeps its loop from anything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def held(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds that it took, and the longest that the loop's thread worked without looking at anything else."""
    longest, done = 0.0, asyncio.Event()

    async def look() -> None:
        nonlocal longest
        before = time.thread_time()
        while not done.is_set():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, before = max(longest, now - before), now

    looking = asyncio.create_task(look())
    began = time.perf_counter()
    await work()
    took = time.perf_counter() - began
    done.set()
    await looking
    return took, longest
