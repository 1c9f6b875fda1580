"""Streaming: the bytes of one answer as they come: at the dials' pace, whole, cut off or broken by an error event."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import orjson

from core.claude.rehearsal.dials import FaultWord
from core.claude.rehearsal.message import Message
from core.claude.rehearsal.pace import Pace

_ERROR = {"type": "error", "error": {"details": None, "type": "overloaded_error", "message": "Overloaded"}}


class PacedStream(httpx2.AsyncByteStream):
    """Server-sent events; `cut` ends them in the middle, without a word, and `error` with an error event."""

    def __init__(self, message: Message, pace: Pace, fault: FaultWord | None, request_id: str) -> None:
        self._events = list(message.events())
        self._pace = pace
        self._end = b""
        if fault in ("cut", "error"):
            del self._events[max(2, len(self._events) // 2) :]
        if fault == "error":
            self._end = b"event: error\ndata: %s\n\n" % orjson.dumps({**_ERROR, "request_id": request_id})

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._pace.instant:
            yield b"".join(event for _, event in self._events) + self._end
            return
        self._pace.begin()
        for written, event in self._events:
            await self._pace.written(written)
            yield event
        if self._end:
            yield self._end


class CutBody(httpx2.AsyncByteStream):
    """The first half of a plain answer, then a connection that is gone."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx2.RemoteProtocolError(
            "peer closed connection without sending complete message body (incomplete chunked read)"
        )
