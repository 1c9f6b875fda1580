"""Faults: each dial breaks answers in its own way, as the vendor's client sees it, in a sequence that can be had again."""

from __future__ import annotations

import threading

import anthropic
import httpx2
import pytest
from anthropic.types import ErrorResponse

from core.claude.rehearsal import Dials, DialValues, Faults
from core.errors import UsageError
from tests.claude.rehearsal.rehearsing import Rehearsing, text_of


def _rehearsing(faults: str) -> Rehearsing:
    return Rehearsing(Dials.parse(faults))


@pytest.mark.parametrize(
    ("fault", "error", "kind", "header"),
    [
        ("429:1", anthropic.RateLimitError, "rate_limit_error", "retry-after"),
        ("529:1", anthropic.OverloadedError, "overloaded_error", "x-should-retry"),
    ],
)
async def test_refused_by_the_dials(fault: str, error: type[anthropic.APIStatusError], kind: str, header: str) -> None:
    """The API's shape, its headers of limits, and no time spent."""
    rehearsing = _rehearsing(fault)
    answer = await rehearsing.raw()
    assert ErrorResponse.model_validate_json(answer.content, strict=True).error.type == kind
    with pytest.raises(error) as caught:
        await rehearsing.ask()
    headers = caught.value.response.headers
    assert header in headers
    assert headers["anthropic-ratelimit-requests-remaining"] == "4000"
    assert rehearsing.time.slept == []


async def test_timeout_waits_as_long_as_the_client_does() -> None:
    """Nothing comes; after the client's own read timeout it is over, plain or streamed."""
    rehearsing = _rehearsing("timeout:1")
    with pytest.raises(anthropic.APITimeoutError):
        await rehearsing.ask(timeout=7.0)
    with pytest.raises(anthropic.APITimeoutError):
        async with rehearsing.stream(timeout=httpx2.Timeout(5.0, read=9.0)):
            pass
    assert rehearsing.time.slept == [7.0, 9.0]


async def test_answer_that_takes_longer_than_the_client_waits() -> None:
    """A slow first token is a timeout too, and so is a gap in a stream."""
    rehearsing = Rehearsing(Dials(DialValues(first_token_seconds=30)))
    with pytest.raises(anthropic.APITimeoutError):
        await rehearsing.ask(timeout=10.0)
    rehearsing.dials.change(first_token_seconds=1.0, tokens_per_second=0.1)
    async with rehearsing.stream(timeout=10.0) as stream:
        with pytest.raises(httpx2.ReadTimeout):
            await stream.get_final_message()


async def test_truncated_answer_costs_its_half() -> None:
    """It says max_tokens, has a part of the text and counts that part."""
    whole = await _rehearsing("").ask()
    part = await _rehearsing("truncate:1").ask()
    assert part.stop_reason == "max_tokens"
    assert text_of(whole).startswith(text_of(part))
    assert 0 < part.usage.output_tokens < whole.usage.output_tokens


async def test_cut_stream_ends_without_an_error_and_without_its_end() -> None:
    """The vendor's client raises nothing: the message has no stop reason. A plain answer breaks off."""
    rehearsing = _rehearsing("cut:1")
    async with rehearsing.stream() as stream:
        events = [event.type async for event in stream]
        left = stream.current_message_snapshot
    assert "message_stop" not in events
    assert "content_block_delta" in events
    assert left.stop_reason is None
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        await rehearsing.ask()


async def test_refusal_of_the_model_and_errors_of_the_api() -> None:
    """A refusal has no text and says why; an error breaks a stream in the middle, and a plain call is a 500."""
    refused = await _rehearsing("refuse:1").ask()
    assert (refused.content, refused.stop_reason, refused.stop_details.type) == ([], "refusal", "refusal")
    rehearsing = _rehearsing("error:1")
    async with rehearsing.stream() as stream:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await stream.get_final_message()
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
    with pytest.raises(anthropic.InternalServerError):
        await rehearsing.ask()


async def _statuses(dials: Dials, count: int) -> list[int]:
    rehearsing = Rehearsing(dials)
    return [(await rehearsing.raw()).status_code for _ in range(count)]


async def test_shares_come_in_a_sequence_that_can_be_had_again() -> None:
    """The same seed gives the same faults in the same order, another one others, each about as often as its share."""
    first, again = [await _statuses(Dials.parse("429:0.2, 529:0.1"), 500) for _ in range(2)]
    other = await _statuses(Dials.parse("429:0.2, 529:0.1", seed=2), 500)
    assert first == again
    assert first != other
    assert 70 <= first.count(429) <= 130
    assert 30 <= first.count(529) <= 70


async def test_dials_are_changed_while_it_runs() -> None:
    """From another thread, for the next answer; a change that cannot work changes nothing."""
    rehearsing = _rehearsing("")
    await rehearsing.ask()
    thread = threading.Thread(target=rehearsing.dials.change, kwargs={"faults": Faults.parse("529:1")})
    thread.start()
    thread.join()
    with pytest.raises(anthropic.OverloadedError):
        await rehearsing.ask()
    with pytest.raises(UsageError, match="more than 0"):
        rehearsing.dials.change(tokens_per_second=0.0)
    assert rehearsing.dials.values.faults == Faults(overloaded=1.0)
    rehearsing.dials.change(faults=Faults())
    assert (await rehearsing.ask()).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("428:0.1", "'428' is not a fault"),
        ("429:0.1, slow:1", "'slow' is not a fault"),
        ("429:often", "'often', which is not a number"),
        ("429", "'429' has no share"),
        ("cut:0.1, cut:0.2", "'cut' is named twice"),
        ("cut:1.5", "share of cut is 1.5"),
        ("cut:nan", "share of cut is nan"),
        ("429:0.6, 529:0.6", "together are more than 1"),
    ],
)
def test_wrong_word_of_the_faults_is_named(text: str, words: str) -> None:
    """The message names it, and the next step shows the shape."""
    with pytest.raises(UsageError, match=words) as caught:
        Dials.parse(text)
    assert "429:0.02" in caught.value.next_step


def test_faults_are_read_as_the_settings_have_them() -> None:
    """Blanks and an empty text are well; other dials can be given beside."""
    dials = Dials.parse(" 429:0.02, 529:0.01, timeout:0, truncate:0, cut:0 ", first_token_seconds=0.5)
    assert dials.values == DialValues(faults=Faults(rate_limited=0.02, overloaded=0.01), first_token_seconds=0.5)
    assert Dials.parse("").values == DialValues()
