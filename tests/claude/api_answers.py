"""What the Messages API answers, written down from its documentation: whole answers, streams and errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx2

from core.claude.messages import AttemptRecord, MessageRequest, Turn

MODEL = "claude-haiku-5-5"
KEY = "sk-ant-api03-Zm9vYmFyLXNlY3JldA_-9"
PROMPT = "The lead Josefine Quartermaine wants three bedrooms in Toledo."
ANSWER = "Josefine is a hot lead, call her today."
RATE_HEADERS = {
    "request-id": "req_011CS",
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-11-22T10:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "40000",
    "anthropic-ratelimit-input-tokens-remaining": "39000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-22T10:00:02Z",
}
USAGE = {
    "input_tokens": 30,
    "output_tokens": 25,
    "cache_read_input_tokens": 400,
    "cache_creation_input_tokens": 90,
    "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 40},
    "output_tokens_details": {"thinking_tokens": 11},
}

Handler = Callable[[httpx2.Request], httpx2.Response]


def request(**fields: Any) -> MessageRequest:
    """A request with a prompt that must never be seen in a log."""
    return MessageRequest(**{"model": MODEL, "turns": (Turn("user", PROMPT),), "max_tokens": 200, **fields})


def text(written: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": written}


def thinking(written: str) -> dict[str, Any]:
    """A block of thinking."""
    return {"type": "thinking", "thinking": written, "signature": "c2ln"}


def message(*blocks: dict[str, Any], stop_reason: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "msg_01", "type": "message", "role": "assistant", "model": MODEL, "content": list(blocks),
        "stop_reason": stop_reason, "stop_sequence": None, "usage": USAGE, **fields,
    }  # fmt: skip


def whole(*blocks: dict[str, Any], **fields: Any) -> httpx2.Response:
    """The response of a call that does not stream."""
    return httpx2.Response(200, headers=RATE_HEADERS, json=message(*blocks, **fields))


def error(status: int, kind: str, said: str = "no", code: str | None = None, **headers: str) -> httpx2.Response:
    """The response of a call that failed."""
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_011CS"}
    if code is not None:
        body["error"]["details"] = {"error_code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers={**RATE_HEADERS, **named}, json=body)


def events(*blocks: dict[str, Any], stop_reason: str = "end_turn", **delta: Any) -> list[dict[str, Any]]:
    """The events of a stream: each block in pieces of five characters, then the end."""
    started = {**USAGE, "output_tokens": 1, "output_tokens_details": None}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": message(stop_reason=None, usage=started)}]
    for index, block in enumerate(blocks):
        kind = block["type"]
        found.append({"type": "content_block_start", "index": index, "content_block": {**block, kind: ""}})
        for at in range(0, len(block[kind]), 5):
            piece = {"type": f"{kind}_delta", kind: block[kind][at : at + 5]}
            found.append({"type": "content_block_delta", "index": index, "delta": piece})
        found.append({"type": "content_block_stop", "index": index})
    ended = {"output_tokens": 25, "output_tokens_details": {"thinking_tokens": 11}}
    found.append({"type": "message_delta", "delta": {"stop_reason": stop_reason, **delta}, "usage": ended})
    return [*found, {"type": "message_stop"}]


def sse(event: dict[str, Any]) -> bytes:
    """One event as it goes over the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def streamed(parts: Iterable[dict[str, Any] | bytes | Exception]) -> httpx2.Response:
    """The response of a call that streams: events, raw bytes, or what the transport raises at that point."""

    async def content() -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part if isinstance(part, bytes) else sse(part)

    return httpx2.Response(200, headers={**RATE_HEADERS, "content-type": "text/event-stream"}, content=content())


class Answering(httpx2.MockTransport):
    """Gives one answer to everything, and keeps what it was asked; an exception is raised."""

    def __init__(self, answer: httpx2.Response | Exception | Handler) -> None:
        self.asked: list[httpx2.Request] = []
        self._answer = answer
        super().__init__(self._handle)

    @property
    def body(self) -> dict[str, Any]:
        """The body of the last request."""
        return json.loads(self.asked[-1].content)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer(request) if callable(self._answer) else self._answer


class Attempts(list[AttemptRecord]):
    """Collects exchanges, for `on_attempt=attempts.append`."""

    @property
    def only(self) -> AttemptRecord:
        """The one exchange that there was."""
        assert len(self) == 1, f"{len(self)} exchanges: {[attempt.outcome for attempt in self]}"
        return self[0]
