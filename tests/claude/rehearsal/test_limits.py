"""Limits: buckets that refill all the time, told in headers, and refused with the time to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anthropic
import pytest

from core.claude.rehearsal import Dials, DialValues
from tests.claude.rehearsal.rehearsing import Rehearsing

PREFIX = "anthropic-ratelimit-"


def _rehearsing(**dials: float | None) -> Rehearsing:
    return Rehearsing(Dials(DialValues(first_token_seconds=0, tokens_per_second=1e9, **dials)))


async def test_requests_refill_continuously() -> None:
    """60 a minute with a burst of 3 seconds: three, then one a second."""
    rehearsing = _rehearsing(requests_per_minute=60, burst_seconds=3)
    answers = [await rehearsing.raw() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers[PREFIX + "requests-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers[PREFIX + "requests-limit"] for answer in answers} == {"60"}
    assert answers[-1].headers["retry-after"] == "1"
    assert "60 requests per minute" in answers[-1].json()["error"]["message"]
    with pytest.raises(anthropic.RateLimitError):
        await rehearsing.ask()
    rehearsing.time.now += 1.0
    assert [(await rehearsing.raw()).status_code for _ in range(2)] == [200, 429]
    assert (await rehearsing.raw(model="claude-opus-4-8")).status_code == 200, "each model has its own"


async def test_input_tokens_and_the_time_until_they_are_back() -> None:
    """The headers say when all is back; retry-after says when this request fits."""
    rehearsing = _rehearsing(input_tokens_per_minute=600)
    first = await rehearsing.raw("word " * 300)
    used = first.json()["usage"]["input_tokens"]
    assert int(first.headers[PREFIX + "input-tokens-remaining"]) == 600 - used
    reset = datetime.fromisoformat(first.headers[PREFIX + "input-tokens-reset"])
    assert abs(reset - datetime.now(UTC) - timedelta(seconds=used / 10)) < timedelta(seconds=15)
    second = await rehearsing.raw("word " * 300)
    wait = int(second.headers["retry-after"])
    assert (second.status_code, wait) == (429, -(-(2 * used - 600) // 10))
    assert "600 input tokens per minute" in second.json()["error"]["message"]
    rehearsing.time.now += wait
    assert (await rehearsing.raw("word " * 300)).status_code == 200


async def test_output_tokens_are_counted_as_they_are_written() -> None:
    """One answer may go over; the next one waits until the debt is paid. The tighter of both is that of tokens."""
    rehearsing = _rehearsing(output_tokens_per_minute=60)
    answer = await rehearsing.raw()
    assert answer.status_code == 200
    assert answer.headers[PREFIX + "output-tokens-remaining"] == answer.headers[PREFIX + "tokens-remaining"] == "0"
    assert (await rehearsing.raw()).status_code == 429
    rehearsing.time.now += answer.json()["usage"]["output_tokens"]
    assert (await rehearsing.raw()).status_code == 200


async def test_no_limit_no_header() -> None:
    """A limit of None is not told, and a limit that an operator sets counts at once."""
    rehearsing = _rehearsing(requests_per_minute=None, input_tokens_per_minute=None, output_tokens_per_minute=None)
    assert not [name for name in (await rehearsing.raw()).headers if name.startswith(PREFIX)]
    rehearsing.dials.change(requests_per_minute=1.0)
    assert [(await rehearsing.raw()).status_code for _ in range(2)] == [200, 429]
