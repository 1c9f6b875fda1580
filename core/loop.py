"""LoopThread: the console's one asyncio loop on a thread of its own; Gate: the one way into it.

The services run here, not on the web server's loop, so that a busy service never stalls the websocket.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from core.errors import DependencyTimeout
from core.tasks import end_tasks

log = logging.getLogger(__name__)
T = TypeVar("T")


class Gate:
    """Runs coroutines on one loop for callers on other threads and other loops."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T], timeout_seconds: float) -> T:
        """Run `work` for a thread that waits; past the time the work is cancelled and DependencyTimeout raised."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_seconds)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise DependencyTimeout(f"The services gave no answer within {timeout_seconds:g} s.") from None

    def start(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `work` for a thread that goes on; cancelling the future ends it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` for a coroutine of another loop; a cancelled caller cancels the work."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


class LoopThread:
    """Owns one thread and its event loop (uvloop); `stop` ends both."""

    def __init__(self, name: str) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.gate = Gate(self._loop)

    def start(self) -> None:
        """Start the thread; the loop runs when this returns."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Cancel every task that is left, end the loop and wait for the thread."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            log.error("loop_thread_stuck name=%s waited_seconds=%s", self._thread.name, timeout_seconds)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(end_tasks(asyncio.all_tasks(self._loop)))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except Exception:
            log.exception("loop_thread_crashed name=%s", self._thread.name)
        finally:
            self._loop.close()
