"""LoopbackOnly: who gets in."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from core.api import LoopbackOnly


async def _ask(server: tuple[str, int | None] | None, host: str | None, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await PlainTextResponse("in")(scope, receive, send)

    headers = [(b"host", host.encode())] if host else []
    scope = {"type": kind, "method": "GET", "path": "/", "headers": headers, "server": server, "query_string": b""}
    await LoopbackOnly(inner)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("server", "host"),
    [
        (("127.0.0.1", 80), "127.0.0.1:8501"), (("127.0.0.1", 80), "localhost:8501"), (("::1", 80), "[::1]:8501"),
        (("::ffff:127.0.0.1", 80), "127.0.0.1"), (None, "anything"), (("testserver", 80), "testserver"),
        (("/run/x.sock", None), "x"),
    ],
)  # fmt: skip
async def test_this_machine_gets_in(server: tuple[str, int | None] | None, host: str) -> None:
    """Loopback addresses under loopback names, Unix sockets and in-process clients pass."""
    assert (await _ask(server, host))[0]["status"] == 200


@pytest.mark.parametrize(
    ("server", "host"),
    [
        (("10.0.0.5", 80), "10.0.0.5"), (("10.0.0.5", 80), "localhost"), (("2001:db8::1", 80), "localhost"),
        (("127.0.0.1", 80), "evil.example"), (("127.0.0.1", 80), "evil.example:8501"), (("127.0.0.1", 80), None),
        (("127.0.0.1", 80), "127.0.0.1.evil.example"),
    ],
)  # fmt: skip
async def test_others_are_refused_with_the_way_in(server: tuple[str, int], host: str | None) -> None:
    """Another address, or another name for this one, is 403 with what to do instead."""
    start, body = await _ask(server, host)

    assert start["status"] == 403
    assert b"SSH tunnel" in body["body"]


async def test_a_websocket_from_elsewhere_is_closed() -> None:
    """The refusal holds for websockets too: they carry every page."""
    assert (await _ask(("10.0.0.5", 80), "10.0.0.5", "websocket"))[0]["type"] == "websocket.close"
    assert (await _ask(("127.0.0.1", 80), "localhost", "websocket"))[0]["type"] == "websocket.accept"
