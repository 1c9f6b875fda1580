"""Notifier: sends messages through apprise to what the operator configured, on a thread of its own.

Owns the queue, the retries and what is known of them. Refuses to import apprise before there is something to send: it takes a
third of a second. Never logs a URL, which holds a key.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.monitor.alerts.telling import Message

log = logging.getLogger(__name__)

RETRIES_SECONDS = (5.0, 20.0, 60.0)
WAITING_MOST = 100
CLOSE_SECONDS = 0.5

Send = Callable[[Sequence[str], Message], str]
"""Sends a message to all URLs; returns what went wrong, empty when every one took it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message; `error` is empty when everybody has it."""

    message: Message
    error: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierStats:
    """How it fares; `error` is of the last attempt, `sent_seconds_ago` None: nothing was sent yet."""

    urls: int
    waiting: int
    sent: int
    failed: int
    sent_seconds_ago: float | None
    error: str


class Notifier:
    """Works without URLs too: then every delivery says that there are none."""

    def __init__(self, urls: str, send: Send | None = None, retries_seconds: Sequence[float] = RETRIES_SECONDS) -> None:
        self._urls = tuple(url for part in urls.split(",") if (url := part.strip()))
        self._send = send or send_by_apprise
        self._retries_seconds = tuple(retries_seconds)
        self._waiting: deque[tuple[Message, Callable[[Delivery], object]]] = deque(maxlen=WAITING_MOST)
        self._some = threading.Event()
        self._stop = threading.Event()
        self._sent = self._failed = 0
        self._sent_at: float | None = None
        self._error = ""
        self._thread: threading.Thread | None = None

    @property
    def configured(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._urls)

    async def open(self) -> None:
        """Start."""
        if self.configured and self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="alert-notifier", daemon=True)
            self._thread.start()

    async def close(self) -> None:
        """Stop; what waits is not sent."""
        thread, self._thread = self._thread, None
        self._stop.set()
        self._some.set()
        if thread is not None:
            await asyncio.to_thread(thread.join, CLOSE_SECONDS)

    def tell(self, message: Message, over: Callable[[Delivery], object]) -> None:
        """Have it sent; `over` is called from the notifier's thread, once, when everybody has it or it was given up."""
        if not self.configured:
            over(Delivery(message, "ALERT_URLS is not set, so nobody is told", 0))
            return
        self._waiting.append((message, over))
        self._some.set()

    def stats(self) -> NotifierStats:
        """How it fares."""
        return NotifierStats(
            urls=len(self._urls),
            waiting=len(self._waiting),
            sent=self._sent,
            failed=self._failed,
            sent_seconds_ago=None if self._sent_at is None else time.monotonic() - self._sent_at,
            error=self._error,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            self._some.wait()
            self._some.clear()
            while self._waiting and not self._stop.is_set():
                message, over = self._waiting.popleft()
                over(self._deliver(message))

    def _deliver(self, message: Message) -> Delivery:
        """Send it, again and again within bounds; a test is sent once, since somebody waits for its word."""
        waits = () if message.kind == "test" else self._retries_seconds
        attempts, error = 1, self._attempt(message)
        for wait_seconds in waits:
            if not error or self._stop.wait(wait_seconds):
                break
            attempts, error = attempts + 1, self._attempt(message)
        if error:
            self._failed += 1
        else:
            self._sent += 1
            self._sent_at = time.monotonic()
        return Delivery(message, error, attempts)

    def _attempt(self, message: Message) -> str:
        try:
            error = self._send(self._urls, message)
        except Exception as raised:  # noqa: BLE001 - a plugin of apprise may raise anything; none may end the thread.
            error = f"{type(raised).__name__}: {raised}"
        if bool(error) != bool(self._error):
            log.warning("alert_%s kind=%s error=%r", "not_sent" if error else "sent", message.kind, error)
        self._error = error
        return error


def send_by_apprise(urls: Sequence[str], message: Message) -> str:
    """To every URL; an unknown one is an error, also beside good ones."""
    import apprise  # noqa: PLC0415 - see the top of this file.

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # It writes URLs that it cannot read as they are, keys and all.
    services = apprise.Apprise()
    unknown = sum(not services.add(url) for url in urls)
    if not len(services):
        return "no URL of ALERT_URLS is one that apprise knows"
    kind = {"critical": "failure", "repeat": "failure", "resolved": "success"}.get(message.kind, "info")
    result = services.notify(body=message.body, title=message.title, notify_type=apprise.NotifyType(kind))
    if result.status == apprise.AppriseResultStatus.NOMATCH:
        return "no URL of ALERT_URLS takes this message"
    errors = [
        f"{len(services) - result.success_count} of {len(services)} services did not take it" if not result else "",
        f"{unknown} of ALERT_URLS is no URL that apprise knows" if unknown else "",
    ]
    return "; ".join(error for error in errors if error)
