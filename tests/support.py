"""What tests share: waiting for something to become true, in place of sleeps."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable

INTERVAL_SECONDS = 0.01


def wait_until(predicate: Callable[[], bool], timeout_seconds: float = 10.0) -> None:
    """Ask until the predicate is true; AssertionError names what it waited for."""
    deadline = time.monotonic() + timeout_seconds
    pause = threading.Event()
    while not predicate():
        if time.monotonic() >= deadline:
            raise AssertionError(f"Not so within {timeout_seconds:g} s: {_described(predicate)}")
        pause.wait(INTERVAL_SECONDS)


async def wait_until_async(predicate: Callable[[], bool], timeout_seconds: float = 10.0) -> None:
    """The twin for coroutines: the loop runs on between two questions."""
    deadline = time.monotonic() + timeout_seconds
    while not predicate():
        if time.monotonic() >= deadline:
            raise AssertionError(f"Not so within {timeout_seconds:g} s: {_described(predicate)}")
        await asyncio.sleep(INTERVAL_SECONDS)


def _described(predicate: Callable[[], bool]) -> str:
    try:
        source = " ".join(inspect.getsource(predicate).split())
    except (OSError, TypeError):
        return repr(predicate)
    return source if getattr(predicate, "__name__", "") == "<lambda>" else f"{predicate.__name__} ({source[:200]})"
