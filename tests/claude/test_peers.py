"""The client against Messages APIs that we did not write: llmock, with its verdict on us, and mock-ai-api."""

from __future__ import annotations

import pytest

from core.claude.messages import Ask
from core.claude.models import Models
from core.claude.scheduler import Scheduler
from core.errors import (
    ClaudeBadRequest,
    ClaudeCutStream,
    ClaudeInvalid,
    ClaudeKeyRefused,
    ClaudeModelRetired,
    ClaudeOverloaded,
    ClaudeRateLimited,
    ClaudeTimeout,
)
from tests.claude.api_answers import Attempts, request
from tests.claude.peers import MOCK_AI_API, llmock_server, mock_ai_api, mock_ai_api_python


@pytest.fixture(scope="module")
def llmock_running():
    """One llmock for the tests of this file."""
    pytest.importorskip("llmock", reason="llmock is not installed: pip install -r requirements-dev.txt")
    with llmock_server() as server:
        yield server


@pytest.fixture
def peer(llmock_running):
    """A llmock without faults, limits or memories of another test."""
    from llmock.ratelimit import LimitSettings  # noqa: PLC0415

    llmock_running.state.reset()
    llmock_running.state.limiter.configure(LimitSettings())
    return llmock_running


@pytest.fixture
def client(claude_client, peer):
    """A client of llmock."""
    return claude_client(base_url=peer.base_url("anthropic"))


@pytest.fixture(scope="module")
def mock_url(tmp_path_factory):
    """One mock-ai-api for the tests of this file."""
    python = mock_ai_api_python()
    if python is None:
        pytest.skip(f"mock-ai-api is not installed: pip install it into a venv of its own and set {MOCK_AI_API} to its command")
    with mock_ai_api(python, tmp_path_factory.mktemp("mock-ai-api")) as url:
        yield url


def behave(peer, **behavior):
    """Queue a behaviour of llmock for the next request."""
    from llmock.scenarios import behavior_from_dict  # noqa: PLC0415

    peer.state.scenarios.add(behavior_from_dict(behavior))


async def test_llmock_answers(client, peer):
    """Whole and streamed answers of another hand are read the same."""
    behave(peer, type="reply", text="Call them on Tuesday.", times=2)
    attempts, pieces = Attempts(), []
    whole = await client.send(request(effort="low", schema={"type": "object"}), timeout_seconds=30, on_attempt=attempts.append)
    streamed = await client.send(request(), timeout_seconds=30, on_text=pieces.append, on_attempt=attempts.append)
    assert whole.text == streamed.text == "".join(pieces) == "Call them on Tuesday."
    assert [attempt.outcome for attempt in attempts] == ["ok", "ok"]
    assert attempts[0].usage == attempts[1].usage
    assert attempts[0].usage.input_tokens > 0


async def test_the_list_of_llmock_is_read(client):
    """It names a model that is retired, says nothing of what models can do, and the table still refuses the retired one."""
    models = Models()
    assert "claude-haiku-4-5-20251001" in {model.id for model in await models.refresh(client.models)}
    models.check_request(request(model="claude-opus-4-6"))


async def test_the_limits_of_llmock_are_read(client, peer):
    """Headroom goes down with each answer; who is over the limit is told when to come back."""
    from llmock.ratelimit import LimitSettings  # noqa: PLC0415

    peer.state.limiter.configure(LimitSettings(rpm=2))
    attempts = Attempts()
    for _ in range(2):
        await client.send(request(), timeout_seconds=30, on_attempt=attempts.append)
    with pytest.raises(ClaudeRateLimited) as caught:
        await client.send(request(), timeout_seconds=30, on_attempt=attempts.append)
    assert [attempt.headroom["requests"].remaining for attempt in attempts] == [1, 0, 0]
    assert attempts[0].headroom["requests"].limit == 2
    assert attempts[0].headroom["requests"].resets_at is not None
    assert caught.value.retry_after_seconds == attempts[-1].retry_after_seconds
    assert 0 < caught.value.retry_after_seconds <= 60


@pytest.mark.parametrize(
    ("behavior", "raised"),
    [
        ({"type": "fail", "status": 400}, ClaudeBadRequest),
        ({"type": "fail", "status": 401}, ClaudeKeyRefused),
        ({"type": "fail", "status": 404}, ClaudeModelRetired),
        ({"type": "fail", "status": 429, "retry_after": 0.5}, ClaudeRateLimited),
        ({"type": "fail", "status": 503}, ClaudeOverloaded),
        ({"type": "fail", "status": 529}, ClaudeOverloaded),
        ({"type": "stream_fault", "kind": "disconnect", "after_chunks": 3}, ClaudeCutStream),
        ({"type": "stream_fault", "kind": "truncate", "after_chunks": 3}, ClaudeCutStream),
        ({"type": "stream_fault", "kind": "malformed", "after_chunks": 3}, ClaudeCutStream),
        ({"type": "stream_fault", "kind": "stall", "after_chunks": 3}, ClaudeTimeout),
        ({"type": "slow_first_token", "seconds": 30}, ClaudeTimeout),
    ],
    ids=lambda value: value.get("kind", str(value.get("status", value["type"]))) if isinstance(value, dict) else value.__name__,
)
async def test_the_faults_of_llmock_have_names(client, peer, behavior, raised):
    """Each is one exchange with the name of what went wrong."""
    await client.prepare()
    behave(peer, **behavior)
    attempts = Attempts()
    with pytest.raises(raised):
        await client.send(
            request(),
            timeout_seconds=0.5 if raised is ClaudeTimeout else 30,
            on_text=lambda _: None,
            on_attempt=attempts.append,
        )
    assert attempts.only.outcome == raised.kind


async def test_llmock_finds_no_fault_with_us(client, peer):
    """Under the scheduler: what passes is tried again when it asks for that, half an answer is not taken, a 400 is left."""

    async def send(ask, wanted, timeout_seconds, on_text, on_attempt):
        return await client.send(wanted, timeout_seconds=timeout_seconds, on_text=on_text, on_attempt=on_attempt)

    scheduler = Scheduler(send)
    outcomes = []
    faults = (
        {"type": "fail", "status": 429, "retry_after": 0.2, "times": 2},
        {"type": "fail", "status": 529},
        {"type": "stream_fault", "kind": "truncate"},
        {"type": "stream_fault", "kind": "disconnect"},
    )
    for number, fault in enumerate(faults):
        behave(peer, **fault)
        ask = Ask(request=request(max_tokens=200 + number), prompt_name="p", prompt_version="1", operator="anna")
        answered = await scheduler.run(ask, on_text=lambda _: None)
        outcomes.append(answered.reply.stop_reason)
    behave(peer, type="fail", status=400)
    with pytest.raises(ClaudeBadRequest):
        await scheduler.run(Ask(request=request(max_tokens=300), prompt_name="p", prompt_version="1", operator="anna"))
    await scheduler.close()
    verdict = peer_verdict(peer)
    assert outcomes == ["end_turn"] * len(faults)
    assert verdict.passed, verdict.render()
    assert [len(call.attempts) for call in verdict.calls] == [3, 2, 2, 2, 1]


def peer_verdict(peer):
    """What llmock thinks of its client."""
    from llmock.verdict import judge  # noqa: PLC0415

    return judge(peer.state.journal.records(wait=2.0))


async def test_mock_ai_api_answers(claude_client, mock_url):
    """Whole, streamed, counted and listed."""
    client, pieces, attempts = claude_client(base_url=mock_url), [], Attempts()
    whole = await client.send(request(), timeout_seconds=30, on_attempt=attempts.append)
    streamed = await client.send(
        request(model="claude-haiku-5-5:mock-anthropic-stream"),
        timeout_seconds=30,
        on_text=pieces.append,
        on_attempt=attempts.append,
    )
    assert whole.text
    assert streamed.text == "".join(pieces) != ""
    assert [attempt.outcome for attempt in attempts] == ["ok", "ok"]
    assert await client.count_tokens(request()) > 0
    assert await client.models()


@pytest.mark.parametrize(
    ("scenario", "raised"),
    [
        ("mock-400", ClaudeBadRequest),
        ("mock-401", ClaudeKeyRefused),
        ("mock-429", ClaudeRateLimited),
        ("mock-500", ClaudeOverloaded),
        ("mock-503", ClaudeOverloaded),
        ("mock-stream-error", ClaudeOverloaded),
        ("mock-tool-use", ClaudeInvalid),
    ],
)
async def test_the_faults_of_mock_ai_api_have_names(claude_client, mock_url, scenario, raised):
    """Also the error that it sends after its stream has begun, and a tool that nobody offered."""
    attempts = Attempts()
    with pytest.raises(raised):
        await claude_client(base_url=mock_url).send(
            request(model=f"claude-haiku-5-5:{scenario}"),
            timeout_seconds=30,
            on_text=lambda _: None,
            on_attempt=attempts.append,
        )
    assert attempts.only.outcome == raised.kind
