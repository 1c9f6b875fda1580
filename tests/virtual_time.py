"""An event loop whose time is made: where a real loop would wait for its next timer, this one is there at once.

Everything that takes its time from the loop (timers, `asyncio.timeout`, `loop.time`) runs as it is, and the same each time.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class VirtualSelector(selectors.DefaultSelector):
    """Never waits: moves the clock by as much as it was asked to."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready at once; else the time of the next timer has come."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("Nothing is left that could happen: everything waits for something else.")
        self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Begins at 0 seconds."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """The made time, in seconds."""
        return self._virtual.now


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, run in a virtual-time loop of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run a coroutine function in virtual time; what it returns is a plain function."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtual(test(*args, **kwargs))

    return run


async def pass_time(seconds: float) -> None:
    """Let so much time pass; with 0, all that can happen now."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(max(seconds, 1e-6), over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()


def now() -> float:
    """Seconds since the loop began."""
    return asyncio.get_running_loop().time()
