"""Prompt: system and messages of a body as blocks, in the order that the API reads them; checked as the API does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.claude.rehearsal.api_error import bad_request
from core.claude.rehearsal.prompt_cache import Block, Ttl

MESSAGE_TOKENS = 4  # What the API adds around each message, about.
MOST_CACHE_CONTROLS = 4
_ROLES = ("user", "assistant", "system")


def prompt_blocks(body: Mapping[str, Any], *, prefill: bool) -> tuple[Block, ...]:
    """The blocks of system and messages; raises ApiError 400. `prefill` is whether the last message may be the assistant's."""
    messages = body["messages"]
    if not isinstance(messages, list):
        raise bad_request("messages: Input should be a valid list")
    if not messages:
        raise bad_request("messages: at least one message is required")
    blocks = _contents(body["system"], "system", empty=True) if body.get("system") else []
    for index, message in enumerate(messages):
        blocks += _message(message, f"messages.{index}")
    if messages[0]["role"] == "assistant":
        raise bad_request('messages: first message must use the "user" role')
    if messages[-1]["role"] == "assistant" and not prefill:
        raise bad_request(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    ttl = _ttl(body.get("cache_control"), "cache_control")
    if ttl is not None and blocks:
        blocks[-1] = Block(blocks[-1].text, blocks[-1].ttl or ttl)
    _check_marks([block.ttl for block in blocks if block.ttl])
    return tuple(blocks)


def _message(message: object, where: str) -> list[Block]:
    if not isinstance(message, dict):
        raise bad_request(f"{where}: Input should be an object")
    for name in ("role", "content"):
        if name not in message:
            raise bad_request(f"{where}.{name}: Field required")
    for name in message.keys() - {"role", "content"}:
        raise bad_request(f"{where}.{name}: Extra inputs are not permitted")
    role = message["role"]
    if role not in _ROLES:
        raise bad_request(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
    blocks = _contents(message["content"], f"{where}.content", empty=False)
    if not blocks:
        raise bad_request(f"{where}: {role} messages must have non-empty content")
    return blocks


def _contents(content: object, where: str, *, empty: bool) -> list[Block]:
    if isinstance(content, str):
        return [Block(content)] if content.strip() else []
    if not isinstance(content, list):
        raise bad_request(f"{where}: Input should be a valid string or list")
    return [_block(part, f"{where}.{index}", empty=empty) for index, part in enumerate(content)]


def _block(part: object, where: str, *, empty: bool) -> Block:
    if not isinstance(part, dict) or "type" not in part:
        raise bad_request(f"{where}.type: Field required")
    if part["type"] in ("thinking", "redacted_thinking") and not empty:
        return Block(str(part.get("thinking", part.get("data", ""))))
    if part["type"] != "text":
        raise bad_request(f"{where}: content of type {part['type']!r} is not rehearsed, set ANTHROPIC_API_KEY to use it")
    text = part.get("text")
    if not isinstance(text, str):
        raise bad_request(f"{where}.text: Input should be a valid string")
    if not text.strip():
        raise bad_request("messages: text content blocks must contain non-whitespace text")
    for name in part.keys() - {"type", "text", "cache_control", "citations"}:
        raise bad_request(f"{where}.{name}: Extra inputs are not permitted")
    return Block(text, _ttl(part.get("cache_control"), f"{where}.cache_control"))


def _ttl(given: object, where: str) -> Ttl | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("type") != "ephemeral":
        raise bad_request(f"{where}.type: Input should be 'ephemeral'")
    ttl = given.get("ttl", "5m")
    if ttl == "5m":
        return "5m"
    if ttl != "1h":
        raise bad_request(f"{where}.ttl: Input should be '5m' or '1h'")
    return "1h"


def _check_marks(ttls: list[Ttl]) -> None:
    if len(ttls) > MOST_CACHE_CONTROLS:
        raise bad_request(f"A maximum of {MOST_CACHE_CONTROLS} blocks with cache_control may be provided. Found {len(ttls)}.")
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise bad_request("cache_control: a block with ttl '1h' must not come after a block with ttl '5m'")
