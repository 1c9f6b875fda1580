"""Notifier and heartbeat: through apprise to a server of our own, with retries; and without anybody to tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core.monitor.alerts.heartbeat import Heartbeat
from core.monitor.alerts.notifier import Delivery, Notifier, send_by_apprise
from core.monitor.alerts.telling import Message
from tests.support import wait_until

MESSAGE = Message("critical", "test: Not fine: Redis does not answer", "Next: start it", "abc")


class Server(ThreadingHTTPServer):
    """Takes what is sent, or refuses it with `status`."""

    daemon_threads = True
    status = 200

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers with the server's status."""

    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))  # type: ignore[attr-defined]
        self.do_GET()

    def do_GET(self) -> None:
        """The status alone."""
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on the loopback."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@asynccontextmanager
async def opened(notifier: Any) -> Any:
    """Open it, and close it."""
    await notifier.open()
    try:
        yield notifier
    finally:
        await notifier.close()


async def test_sent_through_apprise_and_tried_again(server: Server) -> None:
    """What the server refuses is tried again within bounds, and the word on it comes once."""
    over: list[Delivery] = []
    server.status = 500
    async with opened(Notifier(f" json://{server.address}/a , ", retries_seconds=(0.01, 0.01))) as notifier:
        notifier.tell(MESSAGE, over.append)
        wait_until(lambda: len(over) == 1)
        assert (over[0].error, over[0].attempts) == ("1 of 1 services did not take it", 3)
        assert (notifier.stats().failed, notifier.stats().urls) == (1, 1)

        server.status = 200
        notifier.tell(MESSAGE, over.append)
        wait_until(lambda: len(over) == 2)
        assert over[1] == Delivery(MESSAGE, "", 1)
        assert notifier.stats().error == ""
    assert (server.bodies[-1]["title"], server.bodies[-1]["message"]) == (MESSAGE.title, MESSAGE.body)


def test_what_apprise_does_not_know_is_said(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A URL that is none is no success, alone or beside a good one; and no key of it reaches the log."""
    assert send_by_apprise(("slack://secret-token/only",), MESSAGE)
    assert "secret" not in caplog.text
    assert send_by_apprise(("nonsense://x",), MESSAGE) == "no URL of ALERT_URLS is one that apprise knows"
    assert "1 of ALERT_URLS" in send_by_apprise((f"json://{server.address}/a", "nonsense://x"), MESSAGE)
    assert len(server.bodies) == 1


async def test_without_urls_it_says_so() -> None:
    """No thread, no error: the word is that nobody is told."""
    over: list[Delivery] = []
    async with opened(Notifier("")) as notifier:
        notifier.tell(MESSAGE, over.append)
    assert over == [Delivery(MESSAGE, "ALERT_URLS is not set, so nobody is told", 0)]


async def test_heartbeat(server: Server) -> None:
    """It beats while somebody judges, and only then; a server that refuses is an error, once more well it is none."""
    alive = threading.Event()
    async with opened(Heartbeat(f"http://{server.address}/", alive.is_set, 0.01)) as heartbeat:
        assert heartbeat.stats().answered == 0
        alive.set()
        wait_until(lambda: heartbeat.stats().answered > 1)
        server.status = 500
        wait_until(lambda: "500" in heartbeat.stats().error)
        server.status = 200
        wait_until(lambda: heartbeat.stats().error == "")
    async with opened(Heartbeat(None, alive.is_set)) as heartbeat:
        assert heartbeat.stats().configured is False
