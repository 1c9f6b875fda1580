"""Body: a request as the Messages API takes it.

Owns the words of the wire. Thinking is always said, because new models think unless they are told not to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.claude.messages import MessageRequest
from core.claude.models import Model

CACHED_BY_ALL_TOKENS = 4096  # The longest minimum of any model, for those whose own is not known.
CHARACTERS_PER_TOKEN = 3  # Of English under the newer tokenizers; a block marked though too short is only not cached.

TransformSchema = Callable[[dict[str, Any]], dict[str, Any]]


def message_body(request: MessageRequest, model: Model | None, transform: TransformSchema) -> dict[str, Any]:
    """The fields of `messages.create`; `transform` turns a schema into what the API's grammar can hold."""
    body = prompt_body(request, model, transform)
    body["max_tokens"] = request.max_tokens
    if request.stop_sequences:
        body["stop_sequences"] = list(request.stop_sequences)
    return body


def prompt_body(request: MessageRequest, model: Model | None, transform: TransformSchema) -> dict[str, Any]:
    """The fields that `messages.count_tokens` takes too."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": turn.role, "content": turn.text} for turn in request.turns],
        "thinking": {"type": _thinking(request, model)},
    }
    if request.system:
        body["system"] = _system(request.system, model)
    output: dict[str, Any] = {}
    if request.effort is not None:
        output["effort"] = request.effort
    if request.schema is not None:
        output["format"] = {"type": "json_schema", "schema": transform(dict(request.schema))}
    if output:
        body["output_config"] = output
    return body


def _thinking(request: MessageRequest, model: Model | None) -> str:
    if request.thinking == "adaptive":
        return "adaptive"
    return (model.thinking_off if model else None) or "disabled"


def _system(text: str, model: Model | None) -> str | list[Mapping[str, Any]]:
    """The system prompt, marked for the API's prompt cache where it is long enough for the model to keep."""
    least = (model.min_cacheable_tokens if model else None) or CACHED_BY_ALL_TOKENS
    if len(text) < least * CHARACTERS_PER_TOKEN:
        return text
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
