"""Heartbeat: asks for one address each minute while the console judges, so that somebody else notices when it does not.

Owns its thread. Refuses to ask while the judging stands still: that silence is the alarm.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
TIMEOUT_SECONDS = 10.0
FIRST_SECONDS = 5.0  # By then the first judgement has been made.
CLOSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatStats:
    """How it fares; `answered_seconds_ago` None: it was never answered."""

    configured: bool
    answered: int
    failed: int
    answered_seconds_ago: float | None
    error: str


class Heartbeat:
    """Does nothing without a URL."""

    def __init__(self, url: str | None, alive: Callable[[], bool], every_seconds: float = EVERY_SECONDS) -> None:
        self._url = url
        self._alive = alive
        self._every_seconds = every_seconds
        self._answered = self._failed = 0
        self._answered_at: float | None = None
        self._error = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Start."""
        if self._url and self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="alert-heartbeat", daemon=True)
            self._thread.start()

    async def close(self) -> None:
        """Stop; a request under way ends by itself."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            await asyncio.to_thread(thread.join, CLOSE_SECONDS)

    def stats(self) -> HeartbeatStats:
        """How it fares."""
        ago = None if self._answered_at is None else time.monotonic() - self._answered_at
        return HeartbeatStats(
            configured=bool(self._url),
            answered=self._answered,
            failed=self._failed,
            answered_seconds_ago=ago,
            error=self._error,
        )

    def _run(self) -> None:
        wait_seconds = min(FIRST_SECONDS, self._every_seconds)
        while not self._stop.wait(wait_seconds):
            wait_seconds = self._every_seconds
            try:
                if self._alive():
                    self._ask()
            except Exception as error:  # noqa: BLE001 - urllib raises many kinds; none may end the thread.
                self._failed += 1
                self._say(str(error) or type(error).__name__)

    def _ask(self) -> None:
        with urllib.request.urlopen(str(self._url), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - Settings allows http only.
            answer.read(1_000)
        self._answered += 1
        self._answered_at = time.monotonic()
        self._say("")

    def _say(self, error: str) -> None:
        """Log once for each change of state; never the URL, which may hold a key."""
        if bool(error) != bool(self._error):
            log.warning("heartbeat_%s error=%r", "failed" if error else "answered", error)
        self._error = error
