"""Models: the dated table, the API's own list over it, and what is refused before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import httpx2
import pytest

from core.claude.messages import MessageRequest, Turn
from core.claude.models import DEFAULT_MODEL, Model, Models
from core.errors import ClaudeKeyRefused, ClaudeModelRetired, UsageError
from tests.claude.api_answers import Answering, Attempts, error, request, text, whole

TODAY = date(2026, 11, 22)


@pytest.fixture
def models() -> Models:
    """What is known before the API was asked."""
    return Models()


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-20241022", "claude-3-5-sonnet-latest", "claude-2.1"])
async def test_a_retired_model_is_refused_before_the_send(claude_client, model):
    """The error names what to use; nothing was sent, so nothing is counted."""
    attempts, answering = Attempts(), Answering(whole(text("ok")))
    with pytest.raises(ClaudeModelRetired, match=f"{model} is retired since 20") as caught:
        await claude_client(answering).send(request(model=model), timeout_seconds=30, on_attempt=attempts.append)
    assert f"CLAUDE_MODEL={DEFAULT_MODEL}" in caught.value.next_step
    assert (answering.asked, attempts) == ([], [])


@pytest.mark.parametrize(
    ("today", "warning"),
    [
        (date(2026, 9, 30), None),
        (
            date(2026, 10, 1),
            "claude-sonnet-4-5 retires on 2026-11-30: set CLAUDE_MODEL=claude-haiku-5-5, or choose another model.",
        ),
        (
            date(2026, 11, 29),
            "claude-sonnet-4-5 retires on 2026-11-30: set CLAUDE_MODEL=claude-haiku-5-5, or choose another model.",
        ),
    ],
)
def test_a_retirement_is_said_sixty_days_ahead(models, today, warning):
    """And on its day the model is refused."""
    assert models.check("claude-sonnet-4-5", today) == warning
    with pytest.raises(ClaudeModelRetired):
        models.check("claude-sonnet-4-5", date(2026, 11, 30))


def test_the_default_model_is_well(models):
    """It is in the table, and what the console asks of it works: a schema, thinking off, low effort."""
    assert models.check(DEFAULT_MODEL, TODAY) is None
    models.check_request(request(model=DEFAULT_MODEL, schema={"type": "object"}, effort="low"))


def test_no_retired_model_is_offered(models):
    """The table keeps them only to refuse them."""
    offered = {model.id for model in models.offered()}
    assert DEFAULT_MODEL in offered
    assert "claude-3-5-sonnet-20241022" not in offered


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "claude-haiku-4-5", "effort": "low"}, "does not know the effort low"),
        ({"model": "claude-opus-4-6", "effort": "xhigh"}, "does not know the effort xhigh"),
        ({"model": "claude-opus-5-5"}, "always thinks"),
        ({"model": "claude-haiku-5-5", "effort": "max"}, "only while it thinks"),
        ({"model": "claude-haiku-4-5", "thinking": "adaptive"}, "does not know adaptive thinking"),
        ({"max_tokens": 128_001}, "at most 128,000 tokens"),
        ({"max_tokens": 0}, "at least 1"),
    ],
)
async def test_what_a_model_does_not_take_is_refused_before_the_send(claude_client, fields, said):
    """As an error of usage, that says what to choose."""
    answering = Answering(whole(text("ok")))
    with pytest.raises(UsageError, match=said) as caught:
        await claude_client(answering).send(request(**fields), timeout_seconds=30)
    assert caught.value.next_step
    assert answering.asked == []


def test_what_a_model_takes_is_let_through(models):
    """The same efforts and thinking where they are known, and everything of a model that nobody knows."""
    models.check_request(request(model="claude-opus-5-5", thinking="adaptive", effort="max"))
    models.check_request(request(model="claude-haiku-5-5", thinking="adaptive", effort="max"))
    models.check_request(request(model="a-model-of-a-proxy", effort="max", max_tokens=10_000_000))
    assert "on no list" in models.check("a-model-of-a-proxy", TODAY)


def listed(model: str, **fields: object) -> dict[str, object]:
    """One model of the API's list."""
    yes, no = {"supported": True}, {"supported": False}
    thinking_types = {"adaptive": yes, "disabled": yes, "between_tools": no, "enabled": no}
    capabilities = {
        "effort": {"supported": True, "low": yes, "medium": yes, "high": no, "max": no, "xhigh": None},
        "thinking": {"supported": True, "types": thinking_types},
        "structured_outputs": yes,
    }
    return {
        "type": "model",
        "id": model,
        "display_name": model.title(),
        "created_at": "2026-10-07T00:00:00Z",
        "lifecycle": "active",
        "retires_at": None,
        "max_input_tokens": 1000,
        "max_tokens": 500,
        "capabilities": capabilities,
        **fields,
    }


def page(*models: dict[str, object], more: bool = False) -> httpx2.Response:
    """One page of the list."""
    return httpx2.Response(
        200, json={"data": models, "has_more": more, "first_id": models[0]["id"], "last_id": models[-1]["id"]}
    )


async def test_the_list_of_the_api_comes_over_the_table(claude_client, models):
    """All its pages; what only the table knows is kept, and a model that outlives its date is let live."""
    old = listed("claude-sonnet-4-5-20250929", lifecycle="deprecated", retires_at="2026-11-30T00:00:00Z")
    pages = {"None": page(listed("claude-haiku-5-5"), more=True), "claude-haiku-5-5": page(listed("claude-next-1"), old)}
    answering = Answering(lambda sent: pages[str(sent.url.params.get("after_id"))])
    client = claude_client(answering)
    assert not models.live
    offered = await models.refresh(client.models)
    assert [model.id for model in offered] == ["claude-haiku-5-5", "claude-next-1", "claude-sonnet-4-5-20250929"]
    assert models.live
    assert models.known("claude-haiku-5-5") == Model(
        id="claude-haiku-5-5",
        title="Claude-Haiku-5-5",
        max_input_tokens=1000,
        max_output_tokens=500,
        efforts=("low", "medium"),
        thinking=("adaptive", "disabled"),
        thinking_off_efforts=("low", "medium", "high"),
        structured_outputs=True,
        min_cacheable_tokens=512,
    )
    assert models.check("claude-next-1", TODAY) is None
    assert "retires on 2026-11-30" in models.check("claude-sonnet-4-5", date(2026, 12, 24))
    assert "not on the API's list" in models.check("claude-opus-5-5", TODAY)
    with pytest.raises(ClaudeModelRetired):
        models.check("claude-3-5-sonnet-20241022", TODAY)


async def test_without_the_list_the_table_holds(claude_client, models):
    """An error of the list has its name, and what was known stays."""
    with pytest.raises(ClaudeKeyRefused):
        await models.refresh(claude_client(error(401, "authentication_error")).models)
    assert not models.live
    assert models.check(DEFAULT_MODEL, TODAY) is None


def test_a_request_is_fitted_to_a_model_that_it_was_not_written_for() -> None:
    """What the model does not know is left out, one that always thinks gets room to; every known model takes the result."""
    models = Models()
    written = MessageRequest(model=DEFAULT_MODEL, turns=(Turn("user", "Hello."),), max_tokens=300, effort="low")
    assert models.fitted(written) == written
    thinking = models.fitted(replace(written, model="claude-opus-5-5"))
    assert (thinking.thinking, thinking.effort) == ("adaptive", "low")
    assert thinking.max_tokens > 1_000
    assert models.fitted(replace(written, model="claude-haiku-4-5")).effort is None
    assert models.fitted(replace(written, model="nobody-knows")).effort == "low"
    for model in models.offered():
        models.check_request(models.fitted(replace(written, model=model.id)))
