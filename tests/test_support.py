"""Waiting in place of sleeping."""

import asyncio
import threading

import pytest

from tests.support import wait_until, wait_until_async


def test_waits_for_what_another_thread_does():
    """wait_until returns once the predicate is true."""
    done = threading.Event()
    timer = threading.Timer(0.05, done.set)
    timer.start()
    wait_until(done.is_set)
    assert done.is_set()
    timer.join()


def test_names_what_it_waited_for():
    """A wait in vain says which predicate never came true."""
    counter = 0
    with pytest.raises(AssertionError, match=r"Not so within 0\.05 s: .*counter > 0"):
        wait_until(lambda: counter > 0, timeout_seconds=0.05)


async def test_leaves_the_loop_free():
    """wait_until_async lets the loop's other tasks run."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, done.set)
    await wait_until_async(done.is_set)
    with pytest.raises(AssertionError, match=r"done\.is_set\(\) is None"):
        await wait_until_async(lambda: done.is_set() is None, timeout_seconds=0.02)
