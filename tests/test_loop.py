"""LoopThread and Gate: work crosses into the loop, and never hangs its caller."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from core.errors import DependencyTimeout
from core.loop import LoopThread
from tests.support import wait_until


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """A running loop thread."""
    thread = LoopThread("test-loop")
    thread.start()
    yield thread
    thread.stop()


async def _thread_name() -> str:
    return threading.current_thread().name


def test_a_threads_work_runs_on_the_loop(thread: LoopThread) -> None:
    """The coroutine runs on the named thread and its value comes back."""
    assert thread.gate.run(_thread_name(), timeout_seconds=5) == "test-loop"


async def test_another_loops_work_runs_on_the_loop(thread: LoopThread) -> None:
    """A coroutine of another loop awaits work on this one."""
    assert await thread.gate.call(_thread_name()) == "test-loop"


def test_work_that_takes_too_long_is_cancelled(thread: LoopThread) -> None:
    """The caller gets DependencyTimeout, and the work does not go on behind its back."""
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(DependencyTimeout, match=r"0\.05 s"):
        thread.gate.run(forever(), timeout_seconds=0.05)

    assert cancelled.wait(5)


def test_the_works_own_timeout_error_is_not_mistaken_for_the_gates(thread: LoopThread) -> None:
    """A TimeoutError that the work raises reaches the caller as it is."""

    async def raises() -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        thread.gate.run(raises(), timeout_seconds=5)


async def test_a_cancelled_caller_cancels_the_work(thread: LoopThread) -> None:
    """Nothing goes on for a request whose client has left."""
    started, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    caller = asyncio.create_task(thread.gate.call(forever()))
    await asyncio.to_thread(started.wait, 5)
    caller.cancel()

    assert await asyncio.to_thread(cancelled.wait, 5)


def test_stop_ends_tasks_and_thread() -> None:
    """Tasks that are left are cancelled, and the thread is gone."""
    thread = LoopThread("stopped-loop")
    thread.start()
    ended = threading.Event()

    async def leave_a_task() -> None:
        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        leave_a_task.task = asyncio.create_task(forever())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    thread.gate.run(leave_a_task(), timeout_seconds=5)
    thread.stop()

    assert ended.is_set()
    wait_until(lambda: "stopped-loop" not in {item.name for item in threading.enumerate()})
