"""ClaudeClient over the vendor's SDK: what it sends, what it reads, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import traceback

import httpx2
import pytest

from core.claude.body import CACHED_BY_ALL_TOKENS, CHARACTERS_PER_TOKEN
from core.claude.messages import Usage
from core.errors import ClaudeDown, ClaudeError, ClaudeKeyRefused, ClaudeTimeout, UsageError
from tests.claude.api_answers import (
    ANSWER,
    KEY,
    MODEL,
    PROMPT,
    Answering,
    Attempts,
    error,
    events,
    request,
    sse,
    streamed,
    text,
    thinking,
    whole,
)
from tests.claude.byte_server import HEAD, byte_server, chunk

SCHEMA = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 100}}, "required": ["score"]}
ALL_USAGE = Usage(
    input_tokens=30,
    cache_read_tokens=400,
    cache_write_5m_tokens=50,
    cache_write_1h_tokens=40,
    output_tokens=25,
    thinking_tokens=11,
)


async def test_a_whole_answer_is_read_by_type(claude_client):
    """Thinking before the text is no text; tokens come in all their buckets, and the JSON of a schema as a value."""
    attempts = Attempts()
    client = claude_client(whole(thinking("Hm."), text('{"score":'), text(" 71}")))
    reply = await client.send(request(schema=SCHEMA), timeout_seconds=30, on_attempt=attempts.append)
    assert (reply.text, reply.value, reply.thinking) == ('{"score": 71}', {"score": 71}, "Hm.")
    assert (reply.model, reply.stop_reason, reply.usage) == (MODEL, "end_turn", ALL_USAGE)
    assert (attempts.only.outcome, attempts.only.status, attempts.only.request_id) == ("ok", 200, "req_011CS")
    assert attempts.only.usage == ALL_USAGE
    assert attempts.only.first_token_seconds is None
    found = attempts.only.headroom
    assert {kind: (room.limit, room.remaining) for kind, room in found.items()} == {
        "requests": (50, 49),
        "input_tokens": (40_000, 39_000),
    }
    assert found["input_tokens"].resets_at.isoformat() == "2026-11-22T10:00:02+00:00"


async def test_a_stream_gives_its_text_as_it_comes(claude_client):
    """Pieces of text arrive in order, without the thinking; counts of a stream are running totals, not sums."""
    attempts, pieces = Attempts(), []
    client = claude_client(streamed(events(thinking("Let me think."), text(ANSWER))))
    reply = await client.send(request(), timeout_seconds=30, on_text=pieces.append, on_attempt=attempts.append)
    assert len(pieces) > 3
    assert "".join(pieces) == reply.text == ANSWER
    assert (reply.thinking, reply.usage, reply.value) == ("Let me think.", ALL_USAGE, None)
    assert attempts.only.first_token_seconds == reply.first_token_seconds is not None
    assert (attempts.only.outcome, attempts.only.usage) == ("ok", ALL_USAGE)


async def test_text_that_is_no_json_has_no_value(claude_client):
    """The caller's check decides about an answer that does not fit its schema."""
    reply = await claude_client(whole(text("Sure! Here is"))).send(request(schema=SCHEMA), timeout_seconds=30)
    assert (reply.text, reply.value) == ("Sure! Here is", None)


async def test_what_is_sent(claude_client):
    """A bearer key, no sampling, thinking said, and a schema that the API's grammar can hold."""
    answering = Answering(lambda _: whole(text("{}")))
    client = claude_client(answering)
    await client.send(request(effort="low", schema=SCHEMA, system="Be brief.", stop_sequences=("END",)), timeout_seconds=30)
    sent = answering.asked[0]
    assert str(sent.url) == "https://api.anthropic.com/v1/messages"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert answering.body == {
        "model": MODEL,
        "max_tokens": 200,
        "messages": [{"role": "user", "content": PROMPT}],
        "system": "Be brief.",
        "thinking": {"type": "disabled"},
        "stop_sequences": ["END"],
        "output_config": {
            "effort": "low",
            "format": {
                "type": "json_schema",
                "schema": {
                    "type": "object",
                    "properties": {"score": {"type": "integer", "description": "{minimum: 1, maximum: 100}"}},
                    "required": ["score"],
                    "additionalProperties": False,
                },
            },
        },
    }


@pytest.mark.parametrize(
    ("model", "tokens", "marked"),
    [
        (MODEL, 511, False),
        (MODEL, 512, True),
        ("claude-haiku-4-5", 512, False),
        ("a-model-of-a-proxy", CACHED_BY_ALL_TOKENS, True),
    ],
)
async def test_a_system_prompt_that_the_api_can_cache_is_marked(claude_client, model, tokens, marked):
    """A shorter one is sent as it is: the model would not keep it."""
    answering = Answering(whole(text("ok")))
    written = "x" * (tokens * CHARACTERS_PER_TOKEN)
    await claude_client(answering).send(request(model=model, system=written), timeout_seconds=30)
    block = {"type": "text", "text": written, "cache_control": {"type": "ephemeral"}}
    assert answering.body["system"] == ([block] if marked else written)


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [(MODEL, "off", "disabled"), (MODEL, "adaptive", "adaptive"), ("claude-sonnet-5-5", "off", "between_tools")],
)
async def test_thinking_is_said_in_the_words_of_the_model(claude_client, model, asked, sent):
    """New models think unless they are told not to, and not all in the same word."""
    answering = Answering(whole(text("ok")))
    await claude_client(answering).send(request(model=model, thinking=asked), timeout_seconds=30)
    assert answering.body["thinking"] == {"type": sent}


async def test_nothing_comes_out_of_the_environment(claude_client, monkeypatch):
    """Another key, address or header of this machine never reaches the API."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-the-environment")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-leak: 1\nAuthorization: Bearer stolen\nanthropic-version: 1999-01-01")
    for key, expected in ((KEY, KEY), (None, "no-key-needed")):
        answering = Answering(whole(text("ok")))
        await claude_client(answering, key=key).send(request(), timeout_seconds=30)
        sent = answering.asked[0]
        assert sent.url.host == "api.anthropic.com"
        assert sent.headers["authorization"] == f"Bearer {expected}"
        assert sent.headers["anthropic-version"] != "1999-01-01"
        assert not [name for name in sent.headers if name in ("x-leak", "x-api-key")]


@pytest.mark.parametrize("key", ["sk-ant two words", "sk-ant\r\nx-evil: 1", "sk-ant-ключ", "sk-\x00"])
async def test_a_key_that_none_can_be_is_not_sent(claude_client, key):
    """Nor is it named: a library further down would put it into its error."""
    attempts, answering = Attempts(), Answering(whole(text("ok")))
    with pytest.raises(ClaudeKeyRefused) as caught:
        await claude_client(answering, key=key).send(request(), timeout_seconds=30, on_attempt=attempts.append)
    assert key not in "".join(traceback.format_exception(caught.value))
    assert (answering.asked, attempts) == ([], [])


async def test_without_a_key_nothing_is_sent(claude_client):
    """Whitespace around a key is forgiven, the lack of one is said."""
    answering = Answering(whole(text("ok")))
    await claude_client(answering, key=f"  {KEY}\n").send(request(), timeout_seconds=30)
    assert answering.asked[0].headers["authorization"] == f"Bearer {KEY}"
    with pytest.raises(ClaudeKeyRefused, match="no key"):
        await claude_client(key=" ").send(request(), timeout_seconds=30)


async def test_logs_and_errors_hold_no_secrets(claude_client, caplog, monkeypatch):
    """Also where every logger is open and the SDK is told to talk."""
    monkeypatch.setenv("ANTHROPIC_LOG", "debug")
    caplog.set_level(logging.DEBUG)
    client = claude_client(whole(text(ANSWER)))
    await client.send(request(system=PROMPT), timeout_seconds=30)
    said = f"messages.0: cannot read '{PROMPT}' for key {KEY}"
    told = [repr(client)]
    for failing in (
        error(400, "invalid_request_error", said),
        streamed([*events(text(ANSWER))[:6], b"event: x\ndata: {" + ANSWER.encode()]),
    ):
        with pytest.raises(ClaudeError) as caught:
            await claude_client(failing).send(request(), timeout_seconds=30, on_text=lambda _: None)
        told += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
    for secret in (KEY, "Josefine"):
        assert secret not in caplog.text
        assert secret not in "".join(told)


async def test_a_cancelled_send_hangs_up_and_is_counted(claude_client):
    """The server sees the connection go; the exchange is over once, with the tokens that are known to be spent."""

    async def play(writer):
        writer.write(HEAD + b"".join(chunk(sse(event)) for event in events(text(ANSWER))[:4]))

    attempts, arrived = Attempts(), asyncio.Event()
    async with byte_server(play) as server:
        client = claude_client(base_url=server.url)
        sending = client.send(request(), timeout_seconds=30, on_text=lambda _: arrived.set(), on_attempt=attempts.append)
        task = asyncio.create_task(sending)
        await asyncio.wait_for(arrived.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert (attempts.only.outcome, attempts.only.status, attempts.only.request_id) == ("cancelled", 200, "req_raw")
    assert attempts.only.usage.input_tokens == 30
    assert attempts.only.first_token_seconds is not None


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_deadline_is_ours(claude_client, streaming):
    """A server that says nothing, or stops in the middle, is left at our time; the connection is closed."""

    async def play(writer):
        if streaming:
            writer.write(HEAD + chunk(sse(events(text(ANSWER))[0])))

    attempts = Attempts()
    async with byte_server(play) as server:
        client = claude_client(base_url=server.url)
        await client.prepare()
        listen = (lambda _: None) if streaming else None
        with pytest.raises(ClaudeTimeout, match=r"within 0.3 s"):
            await client.send(request(), timeout_seconds=0.3, on_text=listen, on_attempt=attempts.append)
        await asyncio.wait_for(server.hung_up.wait(), 10)
        assert server.requests == 1
    assert (attempts.only.outcome, attempts.only.usage.input_tokens) == ("timeout", 30 if streaming else 0)


async def test_a_reader_that_fails_ends_its_own_answer(claude_client):
    """Its error is not taken for one of the API, and the connection is not left behind."""

    async def play(writer):
        writer.write(HEAD + b"".join(chunk(sse(event)) for event in events(text(ANSWER))[:4]))

    def reader(_piece):
        raise LookupError("the page is gone")

    attempts = Attempts()
    async with byte_server(play) as server:
        client = claude_client(base_url=server.url)
        with pytest.raises(LookupError) as caught:  # Holds the frames: nothing is closed by being forgotten.
            await client.send(request(), timeout_seconds=30, on_text=reader, on_attempt=attempts.append)
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert str(caught.value) == "the page is gone"
    assert attempts.only.outcome == "other"


async def test_an_address_that_is_no_api_is_left_at_once(claude_client):
    """A stream of something else is not waited for."""

    async def play(writer):
        writer.write(HEAD.replace(b"text/event-stream", b"text/html") + chunk(b"<h1>Log in</h1>"))

    async with byte_server(play) as server:
        with pytest.raises(ClaudeDown) as caught:
            await claude_client(base_url=server.url).send(request(), timeout_seconds=30, on_text=lambda _: None)
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert "ANTHROPIC_BASE_URL" in caught.value.next_step


async def test_faults_can_be_put_in_front_of_the_api(claude_client):
    """A middleware of the SDK given to the client stands inside the exchange: its fault is counted as one."""
    attempts, answering = Attempts(), Answering(whole(text("ok")))

    async def unplugged(_request, _call_next):
        raise httpx2.ConnectError("unplugged")

    with pytest.raises(ClaudeDown):
        await claude_client(answering, middleware=[unplugged]).send(request(), timeout_seconds=30, on_attempt=attempts.append)
    assert attempts.only.outcome == "down"
    assert answering.asked == []


async def test_a_schema_that_is_none_is_refused_before_the_send(claude_client):
    """It is the prompt that is at fault, not the API."""
    attempts, answering = Attempts(), Answering(whole(text("ok")))
    with pytest.raises(UsageError, match="schema"):
        await claude_client(answering).send(request(schema={"properties": {}}), timeout_seconds=30, on_attempt=attempts.append)
    assert (answering.asked, attempts) == ([], [])


async def test_tokens_are_counted_by_the_api(claude_client):
    """The count is of the same prompt that would be sent; it is no attempt."""
    answering = Answering(httpx2.Response(200, json={"input_tokens": 77}))
    client = claude_client(answering)
    assert await client.count_tokens(request(system="Be brief.", schema=SCHEMA)) == 77
    assert answering.asked[0].url.path == "/v1/messages/count_tokens"
    assert set(answering.body) == {"model", "messages", "system", "thinking", "output_config"}


async def test_a_client_opens_again_after_its_end(claude_client):
    """Closing twice does no harm, and the next send starts anew."""
    client = claude_client(lambda _: whole(text("ok")))
    await client.open()
    await client.send(request(), timeout_seconds=30)
    await client.close()
    await client.close()
    assert (await client.send(request(), timeout_seconds=30)).text == "ok"


def test_the_sdk_is_loaded_when_claude_is_first_asked():
    """It takes two seconds of a processor, which no start and no page waits for."""
    program = "import sys, core.claude.client; sys.exit('anthropic' in sys.modules or 'httpx2' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
