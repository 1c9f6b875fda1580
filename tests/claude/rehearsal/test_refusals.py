"""Refusals: the rehearsal says no where the API does, in its shape."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types import ErrorResponse

from core.claude.rehearsal import Dials
from tests.claude.rehearsal.rehearsing import HEADERS, Rehearsing

USER = {"role": "user", "content": "Hello"}
MARKED = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
HOUR = {**MARKED, "cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.fixture
def rehearsing() -> Rehearsing:
    """Without faults."""
    return Rehearsing(Dials())


def _format(schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"temperature": 1.0}, "temperature"),
        ({"top_p": 0.9}, "top_p"),
        ({"top_k": 5}, "top_k"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"messages": []}, "at least one message is required"),
        ({"messages": [{"role": "robot", "content": "Hello"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": " "}]}, "must have non-empty content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-whitespace text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "not rehearsed"),
        ({"messages": [USER, {"role": "assistant", "content": "{"}]}, "assistant message prefill"),
        ({"messages": [{"role": "assistant", "content": "{"}, USER]}, "first message"),
        ({"max_tokens": 128_001}, "128001 > 128000"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": 0, "stream": True}, "max_tokens"),
        ({"model": "claude-haiku-4-5", "max_tokens": 64_000, "thinking": {"type": "adaptive"}}, "'adaptive' is not supported"),
        ({"model": "claude-opus-5-5"}, "'disabled' is not supported"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 9}}, "budget_tokens"),
        ({"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 2_000}}, "must be greater than"),
        ({"output_config": {"effort": "extreme"}}, "output_config.effort"),
        ({"model": "claude-opus-4-6", "output_config": {"effort": "xhigh"}}, "effort level 'xhigh'"),
        ({"model": "claude-haiku-4-5", "output_config": {"effort": "low"}}, "does not support the effort parameter"),
        ({"model": "claude-opus-5", "output_config": {"effort": "max"}}, "'disabled' is not supported with effort level 'max'"),
        ({"output_config": {"format": {"type": "xml"}}}, "json_schema"),
        (_format({"type": "integer", "minimum": 1}), "For 'integer' type, property 'minimum' is not supported"),
        (_format({"type": "number", "minimum": 1, "maximum": 2}), "properties maximum, minimum are not supported"),
        (_format({"type": "array", "items": {"type": "null"}, "minItems": 2}), "values other than 0 or 1"),
        (_format({"type": "object", "properties": {}}), "'additionalProperties' must be explicitly set to false"),
        (_format({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}), "Recursive"),
        ({"stop_sequences": [" "]}, "non-whitespace"),
        ({"system": [MARKED] * 5}, "A maximum of 4 blocks"),
        ({"system": [MARKED, HOUR]}, "must not come after"),
        ({"system": [{**MARKED, "cache_control": {"type": "ephemeral", "ttl": "2h"}}]}, "ttl"),
        ({"tools": [{"name": "a"}]}, "not rehearsed"),
        ({"model": "claude-haiku-4-5", "system": "a " * 400_000}, "prompt is too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_bad_request(rehearsing: Rehearsing, fields: dict[str, Any], words: str) -> None:
    """400 with the field's name, which the vendor's client raises as its BadRequestError."""
    answer = await rehearsing.raw(**fields)
    error = ErrorResponse.model_validate_json(answer.content, strict=True)
    assert (answer.status_code, error.error.type) == (400, "invalid_request_error")
    assert words in error.error.message
    assert error.request_id == answer.headers["request-id"]


async def test_every_refused_field_is_also_refused_through_the_vendors_client(rehearsing: Rehearsing) -> None:
    """Its error has the request id and the API's words."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        await rehearsing.ask(extra_body={"temperature": 0.2})
    assert caught.value.api_message == "temperature: `temperature` is not supported"
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize("model", ["claude-unheard-of-1", "claude-3-5-sonnet-20241022", "claude-mythos-preview"])
async def test_model_that_does_not_answer(rehearsing: Rehearsing, model: str) -> None:
    """Unknown, retired, or past its date: 404, which names the model."""
    answer = await rehearsing.raw(model=model)
    error = ErrorResponse.model_validate_json(answer.content, strict=True).error
    assert (answer.status_code, error.type, error.message) == (404, "not_found_error", f"model: {model}")


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"anthropic-version": "2026-10-21"}, 401, "authentication_error"),
        ({"anthropic-version": "2026-10-21", "authorization": "Bearer "}, 401, "authentication_error"),
        ({"anthropic-version": "2026-10-21", "x-api-key": "old"}, 401, "authentication_error"),
        ({"authorization": "Bearer any"}, 400, "invalid_request_error"),
        ({"authorization": "Bearer any", "anthropic-version": "2023-06-01"}, 400, "invalid_request_error"),
    ],
)
async def test_head_without_key_or_version(rehearsing: Rehearsing, headers: dict[str, str], status: int, kind: str) -> None:
    """The key comes as a Bearer, and the version is the one that is rehearsed."""
    for answer in (
        await rehearsing.http.post("/v1/messages", headers=headers, json={}),
        await rehearsing.http.get("/v1/models", headers=headers),
    ):
        error = ErrorResponse.model_validate_json(answer.content, strict=True)
        assert (answer.status_code, error.error.type) == (status, kind)


async def test_body_that_is_no_json_and_a_route_that_is_none(rehearsing: Rehearsing) -> None:
    """400 and 404."""
    broken = await rehearsing.http.post("/v1/messages", headers=HEADERS, content=b'{"model"')
    assert (broken.status_code, "not valid JSON" in broken.json()["error"]["message"]) == (400, True)
    assert (await rehearsing.http.get("/v1/files", headers=HEADERS)).status_code == 404
