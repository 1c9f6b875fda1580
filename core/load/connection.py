"""Connection: one keep-alive HTTP/1.1 connection that carries one request at a time.

Owns the reading of answers (Content-Length, chunked, until the end of the connection: RFC 9112 section 6) and the words for
what can go wrong. A protocol on a parser in C, because streams cost several times more CPU a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, cast

import httptools

# refused: nobody listens; unreachable: no connection for another reason; closed: it ended before the answer was complete;
# malformed: no HTTP, or no JSON; not_sent: too many requests were waiting already.
Fault = Literal["", "refused", "unreachable", "timeout", "closed", "malformed", "not_sent"]
Done = Callable[["Connection", int, Fault], None]


class Connection(asyncio.Protocol):
    """`send` calls `done(connection, status, fault)` once; `untouched` tells that not one byte of the answer had arrived."""

    def __init__(self) -> None:
        self.is_open = False
        self.untouched = True
        self.requests = 0
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._done: Done | None = None
        self._chunks: list[bytes] = []
        self._ends_with_connection = False
        self._headers_complete = False

    @property
    def body(self) -> bytes:
        """The body of the last answer."""
        return b"".join(self._chunks)

    def send(self, raw: bytes, done: Done) -> None:
        """Send one request; the connection must be open and free."""
        assert self._transport is not None
        self.requests += 1
        self.untouched, self._headers_complete, self._ends_with_connection = True, False, True
        self._chunks = []
        self._done = done
        self._transport.write(raw)

    def abort(self, fault: Fault) -> None:
        """End it at once; a request under way is done with this fault."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()
        self._finish(0, fault)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if self._done is None:
            self.abort("malformed")  # An answer that nobody asked for.
            return
        self.untouched = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort("malformed")

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.is_open = False
        if exc is None and self._headers_complete and self._ends_with_connection:
            self._answered()
        self._finish(0, "closed")

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Part of the parser's interface."""
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        """Part of the parser's interface."""
        self._headers_complete = True

    def on_body(self, body: bytes) -> None:
        """Part of the parser's interface."""
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Part of the parser's interface."""
        if self._parser.get_status_code() >= 200:
            self._answered()
        else:  # 1xx comes before the answer.
            self._headers_complete, self._ends_with_connection = False, True

    def _answered(self) -> None:
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.is_open = False
            if self._transport is not None:
                self._transport.close()
        self._finish(status, "" if status >= 300 or self._is_json() else "malformed")

    def _is_json(self) -> bool:
        """Whether the body looks like JSON by its ends: a page of HTML with status 200 is no answer of a route."""
        if not self._chunks:
            return True
        first, last = self._chunks[0].lstrip()[:1], self._chunks[-1].rstrip()[-1:]
        return (first, last) in ((b"{", b"}"), (b"[", b"]"))

    def _finish(self, status: int, fault: Fault) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(self, status, fault)


async def connect(host: str, port: int, *, tls: bool, timeout_seconds: float) -> Connection:
    """An open connection; raises OSError, TimeoutError among them."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_seconds):
        _, connection = await loop.create_connection(Connection, host, port, ssl=tls or None)
    return connection
