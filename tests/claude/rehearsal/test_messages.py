"""Answers: what comes back has the shapes of the vendor's own types, and the same question gets the same answer."""

from __future__ import annotations

import asyncio
import math

import orjson
import pytest
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from pydantic import TypeAdapter

from core.claude.rehearsal import Dials, DialValues
from tests.claude.rehearsal.rehearsing import SAID, Rehearsing, text_of, unknown_fields

THINKING = {"type": "adaptive"}


@pytest.fixture
def rehearsing() -> Rehearsing:
    """Without faults, at the default pace."""
    return Rehearsing(Dials())


async def test_plain_answer_has_the_vendors_shape(rehearsing: Rehearsing) -> None:
    """Every field is of its type and known; text, usage and request id are there."""
    answer = await rehearsing.raw(thinking=THINKING)
    message = Message.model_validate_json(answer.content, strict=True)
    assert unknown_fields(message) == []
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert text_of(message).startswith(SAID)
    assert message.stop_reason == "end_turn"
    assert answer.headers["request-id"].startswith("req_")
    assert (await rehearsing.ask())._request_id != (await rehearsing.ask())._request_id


async def test_stream_has_the_vendors_events_in_order(rehearsing: Rehearsing) -> None:
    """Each event has its type's shape; a ping comes, and the order is that of the API."""
    answer = await rehearsing.raw(thinking=THINKING, stream=True)
    adapter, order = TypeAdapter(RawMessageStreamEvent), []
    for part in answer.text.strip().split("\n\n"):
        name, data = (line.partition(": ")[2] for line in part.split("\n"))
        order.append(name)
        assert orjson.loads(data)["type"] == name
        if name != "ping":
            event = adapter.validate_json(data, strict=True)
            assert unknown_fields(event) == []
            if name == "content_block_delta":
                order[-1] = event.delta.type
    runs = [name for before, name in zip(["", *order], order, strict=False) if name != before]
    assert runs == [
        "message_start", "content_block_start", "ping", "thinking_delta", "signature_delta", "content_block_stop",
        "content_block_start", "text_delta", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert order.count("text_delta") > 5


async def test_same_body_same_answer_streamed_or_not(rehearsing: Rehearsing) -> None:
    """Text, thinking and usage are equal, from another transport too; another question gets another answer's id."""
    plain = await rehearsing.ask(thinking=THINKING)
    async with rehearsing.stream(thinking=THINKING) as stream:
        streamed = await stream.get_final_message()
    elsewhere = await Rehearsing(Dials()).ask(thinking=THINKING)
    assert plain.model_dump() == elsewhere.model_dump()
    assert text_of(streamed) == text_of(plain)
    assert streamed.content[0].thinking == plain.content[0].thinking
    assert streamed.usage == plain.usage
    assert (await rehearsing.ask("Something else")).id != plain.id


async def test_thinking_counts_inside_the_output(rehearsing: Rehearsing) -> None:
    """More effort thinks more; off has no block; left out, a new model thinks; omitted shows a signature only."""
    asked = {"thinking": THINKING, "max_tokens": 4_000}
    low, high = [await rehearsing.ask(**asked, output_config={"effort": effort}) for effort in ("low", "max")]
    assert 0 < low.usage.output_tokens_details.thinking_tokens < high.usage.output_tokens_details.thinking_tokens
    assert high.usage.output_tokens_details.thinking_tokens < high.usage.output_tokens
    assert (await rehearsing.ask()).usage.output_tokens_details.thinking_tokens == 0
    kept = await rehearsing.client.messages.create(
        model="claude-haiku-5-5", max_tokens=900, messages=[{"role": "user", "content": "Hi"}]
    )
    assert kept.content[0].type == "thinking"
    hidden = await rehearsing.ask(thinking={**THINKING, "display": "omitted"})
    assert (hidden.content[0].thinking, bool(hidden.content[0].signature)) == ("", True)


@pytest.mark.parametrize(("thinking", "most", "blocks"), [("disabled", 7, ["text"]), ("adaptive", 9, ["thinking"])])
async def test_answer_ends_at_max_tokens(rehearsing: Rehearsing, thinking: str, most: int, blocks: list[str]) -> None:
    """It is cut exactly there, says so, and may be thinking alone."""
    message = await rehearsing.ask(max_tokens=most, thinking={"type": thinking})
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", most)
    assert [block.type for block in message.content] == blocks
    async with rehearsing.stream(max_tokens=most, thinking={"type": thinking}) as stream:
        streamed = await stream.get_final_message()
    assert (streamed.stop_reason, streamed.usage.output_tokens) == ("max_tokens", most)


async def test_no_answer_is_longer_than_max_tokens(rehearsing: Rehearsing) -> None:
    """Thinking and text together; one that ended by itself says so."""
    reasons = set()
    for most in range(20, 400, 20):
        message = await rehearsing.ask(max_tokens=most, thinking=THINKING)
        used = message.usage.output_tokens
        assert used <= most
        assert message.stop_reason == "end_turn" or used == most
        assert used == message.usage.output_tokens_details.thinking_tokens + -(-len(text_of(message)) // 3)
        reasons.add((message.stop_reason, bool(text_of(message))))
    assert reasons == {("max_tokens", False), ("max_tokens", True), ("end_turn", True)}


async def test_stop_sequence_ends_the_answer(rehearsing: Rehearsing) -> None:
    """The first one that occurs counts, and is not part of the text."""
    message = await rehearsing.ask(stop_sequences=["never said", " rehearsal", "no model"])
    assert (text_of(message), message.stop_reason, message.stop_sequence) == ("This is a", "stop_sequence", " rehearsal")


async def test_author_writes_the_text() -> None:
    """It sees the body; where it has nothing to say the general answer comes."""
    rehearsing = Rehearsing(Dials(), lambda body: "Call them today." if body["system"] == "lead" else None)
    assert text_of(await rehearsing.ask(system="lead")) == "Call them today."
    assert text_of(await rehearsing.ask(system="other")).startswith(SAID)


async def test_count_tokens_is_what_the_answer_uses(rehearsing: Rehearsing) -> None:
    """Both count the same prompt alike, a schema included."""
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    asked = {"system": "Be short.", "output_config": {"format": {"type": "json_schema", "schema": schema}}}
    used = (await rehearsing.ask("Hello " * 50, **asked)).usage.input_tokens
    counted = await rehearsing.client.messages.count_tokens(
        model="claude-haiku-5-5", messages=[{"role": "user", "content": "Hello " * 50}], **asked
    )
    assert MessageTokensCount.model_validate(counted.model_dump(), strict=True).input_tokens == used > 100


async def test_time_passes_as_the_dials_say(rehearsing: Rehearsing) -> None:
    """First token, then so many a second, streamed or not; the pieces of a stream come one by one."""
    plain = await rehearsing.ask()
    expected = 0.35 + plain.usage.output_tokens / 150
    assert rehearsing.time.now == pytest.approx(1_000 + expected)
    before = rehearsing.time.now
    async with rehearsing.stream() as stream:
        came = [rehearsing.time.now - before async for _ in stream.text_stream]
    assert 0.35 < came[0] < 0.45
    assert came == sorted(set(came))
    assert came[-1] == pytest.approx(expected)


async def test_a_thousand_at_once_without_a_sleep() -> None:
    """With no time to the first token and infinite speed nothing sleeps, and each gets its own answer."""
    rehearsing = Rehearsing(Dials(DialValues(first_token_seconds=0, tokens_per_second=math.inf)))
    answers = await asyncio.gather(*(rehearsing.raw(f"Question {number}") for number in range(1_000)))
    assert rehearsing.time.slept == []
    assert {answer.status_code for answer in answers} == {200}
    assert (
        len({answer.json()["id"] for answer in answers}) == len({answer.headers["request-id"] for answer in answers}) == 1_000
    )
