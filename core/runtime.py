"""The console's one Services and its loop thread: the only module-level state of core.

Owns their life in a process that Streamlit runs, where pages are rerun and caches cleared at any moment.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.loop import Gate, LoopThread
from core.services import Services, build_services
from core.settings import Settings

log = logging.getLogger(__name__)

# An embedded server gets 3 s to stop; the web server's own end must fit into five seconds beside it.
CLOSE_TIMEOUT_SECONDS = 4.5
OPEN_TIMEOUT_SECONDS = 5.0  # Opening waits for no server: more than this is a fault of ours.

_lock = threading.RLock()
_running: Running | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """Open services, the thread that they run on and the gate into it."""

    services: Services
    thread: LoopThread

    @property
    def gate(self) -> Gate:
        """The way in for other threads and loops."""
        return self.thread.gate


def get() -> Running:
    """The running services, started by the first caller with the settings of the environment."""
    global _running
    with _lock:
        if _running is None:
            _running = _start(build_services(Settings.from_env()))
        return _running


def close() -> None:
    """End the services and their thread; does nothing when none run."""
    global _running
    with _lock:
        running, _running = _running, None
    if running is not None:
        _stop(running)


@contextmanager
def use(services: Services) -> Iterator[Running]:
    """Run these services in place of those of the environment; for tests."""
    global _running
    with _lock:
        if _running is not None:
            raise RuntimeError("services run already")
        _running = _start(services)
        running = _running
    try:
        yield running
    finally:
        close()


def _start(services: Services) -> Running:
    thread = LoopThread("core-loop")
    thread.start()
    try:
        thread.gate.run(services.open(), OPEN_TIMEOUT_SECONDS)
    except BaseException:
        thread.stop()
        raise
    return Running(services, thread)


def _stop(running: Running) -> None:
    try:
        running.gate.run(running.services.close(), CLOSE_TIMEOUT_SECONDS)
    except Exception:
        log.exception("runtime_close_failed")
    finally:
        running.thread.stop()


atexit.register(close)
