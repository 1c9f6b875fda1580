"""Opened: services for one command that asks them something and ends; Ctrl-C and SIGTERM cancel what it asked."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from core.cli.running import SET_UP_TIMEOUT_SECONDS
from core.services import Services, build_services
from core.settings import Settings

T = TypeVar("T")


def run_opened(work: Callable[[Services], Awaitable[T]]) -> T:
    """What the work returns; raises what it raised, and KeyboardInterrupt when it was cancelled."""
    logging.getLogger("core").setLevel(logging.ERROR)  # The command says itself what matters: a server that starts is no news.
    try:
        return uvloop.run(_run(work))
    except asyncio.CancelledError:  # SIGTERM; a Ctrl-C arrives as KeyboardInterrupt by itself
        raise KeyboardInterrupt from None


async def _run(work: Callable[[Services], Awaitable[T]]) -> T:
    main = asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    async with build_services(Settings.from_env(), console=False) as services:
        await services.data.wait_set_up(SET_UP_TIMEOUT_SECONDS)
        await services.claude_parts.client.prepare()  # Two seconds that do not count as time of the answer.
        return await work(services)
