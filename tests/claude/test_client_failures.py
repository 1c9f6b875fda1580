"""Every named error of an ask, provoked through the SDK: by status, by how an answer ends, and by how a stream breaks."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from core.claude.limits import retry_after_seconds
from core.errors import (
    ClaudeBadRequest,
    ClaudeCutStream,
    ClaudeDown,
    ClaudeInvalid,
    ClaudeKeyRefused,
    ClaudeModelRetired,
    ClaudeOverloaded,
    ClaudeRateLimited,
    ClaudeRefused,
    ClaudeSpendLimit,
    ClaudeThinkingOnly,
    ClaudeTimeout,
    ClaudeTruncated,
)
from tests.claude.api_answers import (
    ANSWER,
    KEY,
    PROMPT,
    Answering,
    Attempts,
    error,
    events,
    request,
    streamed,
    text,
    thinking,
    whole,
)
from tests.claude.byte_server import HEAD, byte_server, chunk

LIMITED = "rate_limit_error"
HTML = {"content-type": "text/html"}
EVENTS = events(text(ANSWER))

BY_STATUS = [
    # the answer, the error it becomes, what it says
    (error(429, LIMITED, "slow down", retry_after="7"), ClaudeRateLimited, "429, rate_limit_error.*slow down"),
    (error(429, LIMITED, code="ramp_limit_exceeded"), ClaudeRateLimited, "ramp_limit_exceeded"),
    (error(429, LIMITED, code="enforced_spend_limit_reached"), ClaudeSpendLimit, "enforced_spend_limit_reached"),
    (error(429, LIMITED, code="contract_spend_limit_reached"), ClaudeSpendLimit, "may not spend more"),
    (error(402, "billing_error", "add credit"), ClaudeSpendLimit, "add credit"),
    (error(529, "overloaded_error"), ClaudeOverloaded, "529, overloaded_error"),
    (error(500, "api_error"), ClaudeOverloaded, "500"),
    (httpx2.Response(502, headers=HTML, content=b"<h1>Bad gateway</h1>"), ClaudeOverloaded, "502"),
    (error(504, "timeout_error"), ClaudeOverloaded, "504"),
    (error(401, "authentication_error", "invalid key"), ClaudeKeyRefused, "invalid key"),
    (error(403, "permission_error"), ClaudeKeyRefused, "403"),
    (error(400, "invalid_request_error", "max_tokens: too large"), ClaudeBadRequest, "max_tokens: too large"),
    (error(413, "request_too_large"), ClaudeBadRequest, "413"),
    (error(404, "not_found_error", "model: claude-next"), ClaudeModelRetired, "model: claude-next"),
    (error(408, "timeout_error"), ClaudeTimeout, "408"),
    (httpx2.Response(404, json={"detail": "Not Found"}), ClaudeDown, "404, and not like the Messages API"),
    (httpx2.Response(307, headers={"location": "https://elsewhere.example/"}), ClaudeDown, "307"),
    (httpx2.Response(200, headers=HTML, content=b"<h1>Log in</h1>"), ClaudeDown, "not like the Messages API"),
    (httpx2.Response(429, content=b"slow down"), ClaudeRateLimited, "429"),
    (error(400, ["odd"], "m"), ClaudeBadRequest, "400"),
]


def case(value):
    """The name of a case: the error that it becomes."""
    return getattr(value, "__name__", "")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("answer", "raised", "said"), BY_STATUS, ids=case)
async def test_a_status_has_its_name(claude_client, answer, raised, said, streaming):
    """Streaming or not: the error by name, one exchange with its status, and no second try."""
    attempts, answering = Attempts(), Answering(answer)
    with pytest.raises(raised, match=said) as caught:
        await claude_client(answering).send(
            request(), timeout_seconds=30, on_text=(lambda _: None) if streaming else None, on_attempt=attempts.append
        )
    assert type(caught.value) is raised
    assert caught.value.next_step
    assert (attempts.only.outcome, attempts.only.status) == (raised.kind, answer.status_code)
    assert len(answering.asked) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after_ms": "250", "retry_after": "1"}, 0.25),
        ({"retry_after": "86400"}, 300),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({}, None),
    ],
)
async def test_when_to_come_back(claude_client, headers, seconds):
    """The error and the exchange carry what the server asks for, up to five minutes; a longer wait is said."""
    attempts = Attempts()
    with pytest.raises(ClaudeRateLimited) as caught:
        await claude_client(error(429, LIMITED, **headers)).send(request(), timeout_seconds=30, on_attempt=attempts.append)
    assert caught.value.retry_after_seconds == attempts.only.retry_after_seconds == seconds
    assert ("asks to wait 86,400 s; it is asked again after 300 s" in str(caught.value)) == (seconds == 300)
    assert attempts.only.headroom["requests"].remaining == 49


def test_a_date_to_come_back_at():
    """The other form of retry-after is a date; one that has passed means at once."""
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    for offset, seconds in ((90, 90.0), (-90, 0.0)):
        date = format_datetime(now + timedelta(seconds=offset), usegmt=True)
        assert retry_after_seconds({"retry-after": date}, now) == seconds


@pytest.mark.parametrize("said", [f"cannot read '{PROMPT}'", f"bad key {KEY}", "x" * 280 + PROMPT])
async def test_the_words_of_the_api_quote_nothing(claude_client, said):
    """Of its message what we sent is left out, and the rest is cut to a readable length."""
    with pytest.raises(ClaudeBadRequest) as caught:
        await claude_client(error(400, "invalid_request_error", said)).send(request(), timeout_seconds=30)
    told = "".join(traceback.format_exception(caught.value))
    assert "Josefine Quartermaine" not in told
    assert KEY not in told
    assert len(str(caught.value)) < 400


ENDS = [
    # blocks, reason, further fields, the error, what it says
    ([text("I can")], "refusal", {"stop_details": {"type": "refusal", "category": "cyber"}}, ClaudeRefused, "answer: cyber"),
    ([], "refusal", {}, ClaudeRefused, "declined"),
    ([text("Josefine is")], "max_tokens", {}, ClaudeTruncated, "max_tokens after 25 tokens"),
    ([thinking("Hm"), text("Jo")], "max_tokens", {}, ClaudeTruncated, "max_tokens"),
    ([thinking("Hm")], "max_tokens", {}, ClaudeThinkingOnly, "no text"),
    ([thinking("Hm")], "end_turn", {}, ClaudeThinkingOnly, "no text"),
    ([text("Jo")], "model_context_window_exceeded", {}, ClaudeTruncated, "context"),
    ([text("Jo")], "pause_turn", {}, ClaudeInvalid, "pause_turn"),
]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("blocks", "reason", "fields", "raised", "said"), ENDS, ids=case)
async def test_an_answer_that_did_not_end_well(claude_client, blocks, reason, fields, raised, said, streaming):
    """It has its name, and what it cost is counted."""
    attempts = Attempts()
    whole_answer, stream = whole(*blocks, stop_reason=reason, **fields), streamed(events(*blocks, stop_reason=reason, **fields))
    with pytest.raises(raised, match=said):
        await claude_client(stream if streaming else whole_answer).send(
            request(), timeout_seconds=30, on_text=(lambda _: None) if streaming else None, on_attempt=attempts.append
        )
    assert (attempts.only.outcome, attempts.only.status) == (raised.kind, 200)
    assert (attempts.only.usage.output_tokens, attempts.only.usage.thinking_tokens) == (25, 11)


async def test_an_answer_of_nothing_is_invalid(claude_client):
    """No text, and no thinking that would explain it; after a stop sequence it is an answer."""
    nothing = {"input_tokens": 3, "output_tokens": 0}
    with pytest.raises(ClaudeInvalid, match="no text"):
        await claude_client(whole(usage=nothing)).send(request(), timeout_seconds=30)
    stopped = await claude_client(whole(usage=nothing, stop_reason="stop_sequence")).send(request(), timeout_seconds=30)
    assert stopped.text == ""


def mid_stream(kind):
    """An error that arrives after the stream has begun, with status 200."""
    return [*EVENTS[:4], {"type": "error", "error": {"type": kind, "message": "sorry"}}]


BROKEN_STREAMS = [
    # the stream, the error, what it says, whether the tokens of its start are known
    (mid_stream("overloaded_error"), ClaudeOverloaded, "200, overloaded_error.*sorry", True),
    (mid_stream("api_error"), ClaudeOverloaded, "api_error", True),
    (mid_stream("rate_limit_error"), ClaudeRateLimited, "rate_limit_error", True),
    (mid_stream("invalid_request_error"), ClaudeBadRequest, "sorry", True),
    (mid_stream("a_new_one"), ClaudeOverloaded, "a_new_one", True),
    (EVENTS[:-1], ClaudeCutStream, "ended before the message", True),
    (EVENTS[:4], ClaudeCutStream, "ended before the message", True),
    ([], ClaudeCutStream, "ended before the message", False),
    ([*EVENTS[:4], b"event: content_block_delta\ndata: {not json\n\n"], ClaudeCutStream, "JSONDecodeError", True),
    (
        [*EVENTS[:4], b'event: content_block_delta\ndata: {"type": "content_block_delta"}\n\n'],
        ClaudeCutStream,
        "broke off",
        True,
    ),
    ([*EVENTS[:4], b"event: content_block_delta\ndata: \xff\xfe\n\n"], ClaudeCutStream, "UnicodeDecodeError", True),
    ([*EVENTS[:4], b"event: content_block_delta\ndata: [1]\n\n"], ClaudeCutStream, "broke off", True),
    ([b"data: " + json.dumps(event).encode() + b"\n\n" for event in EVENTS], ClaudeCutStream, "ended before", False),
    ([*EVENTS[:4], httpx2.RemoteProtocolError("peer closed")], ClaudeCutStream, "connection broke", True),
    ([*EVENTS[:4], httpx2.ReadError("reset")], ClaudeCutStream, "connection broke", True),
    ([*EVENTS[:4], httpx2.ReadTimeout("slow")], ClaudeTimeout, "stopped answering", True),
    ([*EVENTS[:4], AssertionError("of the SDK")], ClaudeCutStream, "broke off", True),
    ([*EVENTS[:4], ValueError(ANSWER)], ClaudeCutStream, "ValueError", True),
]


@pytest.mark.parametrize(("parts", "raised", "said", "counted"), BROKEN_STREAMS, ids=case)
async def test_a_stream_that_breaks(claude_client, parts, raised, said, counted):
    """It is never taken for an answer; the tokens that it began with are counted."""
    attempts = Attempts()
    with pytest.raises(raised, match=said) as caught:
        await claude_client(streamed(parts)).send(
            request(), timeout_seconds=30, on_text=lambda _: None, on_attempt=attempts.append
        )
    assert ANSWER[:8] not in "".join(traceback.format_exception(caught.value))
    assert (attempts.only.outcome, attempts.only.status) == (raised.kind, 200)
    assert attempts.only.usage.input_tokens == (30 if counted else 0)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("broken", "raised", "reached"),
    [
        (httpx2.ConnectError("refused"), ClaudeDown, False),
        (httpx2.ConnectTimeout("no answer"), ClaudeDown, False),
        (httpx2.ReadTimeout("no answer"), ClaudeTimeout, True),
        (httpx2.RemoteProtocolError("disconnected without a response"), ClaudeDown, True),
        (httpx2.ProxyError("no"), ClaudeDown, False),
    ],
    ids=case,
)
async def test_a_network_that_breaks(claude_client, broken, raised, reached, streaming):
    """Before there is an answer: the exchange has no status, its cause is kept, and whether it may have cost something."""
    attempts = Attempts()
    with pytest.raises(raised) as caught:
        await claude_client(broken).send(
            request(), timeout_seconds=30, on_text=(lambda _: None) if streaming else None, on_attempt=attempts.append
        )
    assert (attempts.only.outcome, attempts.only.status, attempts.only.reached) == (raised.kind, None, reached)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_body_that_is_no_answer(claude_client, streaming):
    """JSON of somebody else, or half of one, is named too."""
    for body in (b'{"choices": []}', b'{"id": "msg_01", "content": [{"ty', b"[]"):
        answer = httpx2.Response(200, headers={"content-type": "application/json"}, content=body)
        with pytest.raises(ClaudeCutStream):
            await claude_client(answer).send(request(), timeout_seconds=30, on_text=(lambda _: None) if streaming else None)


async def test_a_connection_that_is_cut_on_the_wire(claude_client):
    """The same on a real socket: the body ends in the middle of a chunk."""

    async def play(writer):
        writer.write(HEAD + chunk(b"event: ping\ndata: {}\n\n") + b"ffff\r\nevent: message_start")
        await writer.drain()
        writer.close()

    attempts = Attempts()
    async with byte_server(play) as server:
        with pytest.raises(ClaudeCutStream):
            await claude_client(base_url=server.url).send(
                request(), timeout_seconds=30, on_text=lambda _: None, on_attempt=attempts.append
            )
    assert (attempts.only.outcome, attempts.only.status) == ("cut_stream", 200)
