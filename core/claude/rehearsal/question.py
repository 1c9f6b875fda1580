"""Question: the body of a request, checked as the API checks it.

Owns what is refused with 400 and 404. Tools, images and documents are refused too: they are not rehearsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.claude.models import Model
from core.claude.rehearsal import tokens
from core.claude.rehearsal.api_error import bad_request
from core.claude.rehearsal.catalogue import Catalogue, thinks_by_default
from core.claude.rehearsal.prompt import MESSAGE_TOKENS, prompt_blocks
from core.claude.rehearsal.prompt_cache import Block
from core.claude.rehearsal.schema_rules import check_schema

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_GONE = ("temperature", "top_p", "top_k")
_COUNTED = {"cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools"}
_KNOWN = _COUNTED | {
    "container", "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier", "stop_sequences", "stream",
    "user_profile_id", "workspace_id",
}  # fmt: skip
_NOT_REHEARSED = ("container", "tools")
_LEAST_BUDGET = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; `seed` is the same for the same body, streamed or not."""

    body: Mapping[str, Any]
    model: Model
    max_tokens: int
    stream: bool
    thinks: bool
    shows_thinking: bool
    effort: str
    schema: Mapping[str, Any] | None
    stop_sequences: tuple[str, ...]
    blocks: tuple[Block, ...]
    extra_tokens: int
    seed: int

    @property
    def input_words(self) -> int:
        """How many words the prompt has."""
        return sum(len(block.text.split()) for block in self.blocks)


def read_question(content: bytes, catalogue: Catalogue, *, counting: bool = False) -> Question:
    """Read and check a body; raises ApiError. `counting` is for `count_tokens`, which takes no max_tokens."""
    body = _body(content, counting)
    model = catalogue.answering(_model_name(body))
    output = _table(body, "output_config")
    effort = _effort(output, model)
    stream = body.get("stream", False)
    if not isinstance(stream, bool):
        raise bad_request("stream: Input should be a valid boolean")
    max_tokens = 0 if counting else _max_tokens(body, model)
    schema = _schema(output, model)
    if max_tokens == 0 and not counting and (stream or schema is not None):
        raise bad_request(
            "max_tokens: 0 fills the prompt cache only, and cannot be combined with stream or output_config.format"
        )
    blocks = prompt_blocks(body, prefill="adaptive" not in (model.thinking or ("adaptive",)))
    extra = MESSAGE_TOKENS * len(body["messages"]) + (tokens.count(orjson.dumps(schema).decode()) if schema else 0)
    length = extra + sum(tokens.count(block.text) for block in blocks)
    if model.max_input_tokens is not None and length > model.max_input_tokens:
        raise bad_request(f"prompt is too long: {length} tokens > {model.max_input_tokens} maximum")
    thinks, shows = _thinking(body, model, max_tokens, effort, counting=counting)
    return Question(
        body=body,
        model=model,
        max_tokens=max_tokens,
        stream=stream,
        thinks=thinks,
        shows_thinking=shows,
        effort=effort or "medium",
        schema=schema,
        stop_sequences=_stop_sequences(body),
        blocks=blocks,
        extra_tokens=extra,
        seed=_seed(body),
    )


def _body(content: bytes, counting: bool) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The request body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("Input should be an object")
    for name in _GONE:
        if name in body:
            raise bad_request(f"{name}: `{name}` is not supported")
    for name in body.keys() - (_COUNTED if counting else _KNOWN):
        raise bad_request(f"{name}: Extra inputs are not permitted")
    for name in _NOT_REHEARSED:
        if body.get(name):
            raise bad_request(f"{name}: not rehearsed, set ANTHROPIC_API_KEY to use it")
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in body:
            raise bad_request(f"{name}: Field required")
    return body


def _model_name(body: Mapping[str, Any]) -> str:
    name = body["model"]
    if not isinstance(name, str) or not name:
        raise bad_request("model: Input should be a valid string")
    return name


def _max_tokens(body: Mapping[str, Any], model: Model) -> int:
    wanted = body["max_tokens"]
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        raise bad_request("max_tokens: Input should be a valid integer")
    if wanted < 0:
        raise bad_request("max_tokens: Input should be greater than or equal to 0")
    most = model.max_output_tokens
    if most is not None and wanted > most:
        raise bad_request(
            f"max_tokens: {wanted} > {most}, which is the maximum allowed number of output tokens for {body['model']}"
        )
    return wanted


def _table(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{name}: Input should be an object")
    return value


def _effort(output: Mapping[str, Any], model: Model) -> str | None:
    for name in output.keys() - {"effort", "format"}:
        raise bad_request(f"output_config.{name}: Extra inputs are not permitted")
    effort = output.get("effort")
    if effort is None:
        return None
    if effort not in _EFFORTS:
        raise bad_request("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if model.efforts == ():
        raise bad_request("This model does not support the effort parameter.")
    if model.efforts is not None and effort not in model.efforts:
        levels = ", ".join(sorted(model.efforts))
        raise bad_request(f"This model does not support effort level '{effort}'. Supported levels: {levels}.")
    return str(effort)


def _schema(output: Mapping[str, Any], model: Model) -> Mapping[str, Any] | None:
    given = output.get("format")
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("type") != "json_schema":
        raise bad_request("output_config.format.type: Input should be 'json_schema'")
    if model.structured_outputs is False:
        raise bad_request("output_config.format: this model does not support structured outputs")
    if "schema" not in given:
        raise bad_request("output_config.format.schema: Field required")
    check_schema(given["schema"])
    schema: Mapping[str, Any] = given["schema"]
    return schema


def _thinking(
    body: Mapping[str, Any], model: Model, max_tokens: int, effort: str | None, *, counting: bool
) -> tuple[bool, bool]:
    given = _table(body, "thinking")
    if not given:
        return thinks_by_default(model), True
    kind = given.get("type")
    if kind not in ("adaptive", "enabled", "disabled", "between_tools"):
        raise bad_request("thinking.type: Input should be 'adaptive', 'enabled', 'disabled' or 'between_tools'")
    if model.thinking is not None and kind not in model.thinking:
        raise bad_request(f"thinking.type: '{kind}' is not supported on this model")
    if kind == "enabled":
        budget = given.get("budget_tokens")
        if not isinstance(budget, int) or budget < _LEAST_BUDGET:
            raise bad_request(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
        if not counting and budget >= max_tokens:
            raise bad_request("`max_tokens` must be greater than `thinking.budget_tokens`")
    off = model.thinking_off_efforts
    if kind == "disabled" and effort is not None and off is not None and effort not in off:
        raise bad_request(f"thinking.type: 'disabled' is not supported with effort level '{effort}' on this model")
    return kind in ("adaptive", "enabled"), given.get("display") != "omitted"


def _stop_sequences(body: Mapping[str, Any]) -> tuple[str, ...]:
    given = body.get("stop_sequences") or []
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise bad_request("stop_sequences: Input should be a valid list of strings")
    if not all(word.strip() for word in given):
        raise bad_request("stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(given)


def _seed(body: Mapping[str, Any]) -> int:
    asked = {name: value for name, value in body.items() if name != "stream"}
    return int.from_bytes(hashlib.blake2b(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), digest_size=8).digest())
