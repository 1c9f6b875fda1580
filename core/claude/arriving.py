"""Arriving: an answer as it arrives, in one piece or as a stream of events.

Owns which blocks are text and which are thinking, and the counting of tokens. Refuses an answer that did not end well, by name.
"""

from __future__ import annotations

from typing import Any

import orjson

from core.claude.exchange import Exchange
from core.claude.messages import MessageRequest, Reply, Usage
from core.errors import ClaudeCutStream, ClaudeInvalid, ClaudeRefused, ClaudeThinkingOnly, ClaudeTruncated

SHORTER_PROMPT = "Shorten the prompt: together with the answer it is longer than the model's context."


class Arriving:
    """Takes what the SDK parsed; what it cannot read raises AttributeError or TypeError, as a broken answer does."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._texts: list[str] = []
        self._thinking: list[str] = []
        self._model = exchange.model
        self._stop_reason: str | None = None
        self._refusal: str | None = None
        self._ended = False

    def take_message(self, message: Any) -> None:
        """Take a whole answer."""
        self._exchange.usage = read_usage(message.usage, Usage())
        self._model = message.model or self._model
        for block in message.content:
            self._take_block(block)
        self._end(message.stop_reason, message.stop_details)
        self._ended = self._stop_reason is not None

    def take_event(self, event: Any) -> str:
        """Take one event of a stream; returns the text that it brings, or ''."""
        kind = event.type
        if kind == "content_block_delta":
            return self._take_delta(event.delta)
        if kind == "content_block_start":
            return self._take_block(event.content_block)
        if kind == "message_start":
            self._exchange.usage = read_usage(event.message.usage, self._exchange.usage)
            self._model = event.message.model or self._model
        elif kind == "message_delta":
            self._exchange.usage = read_usage(event.usage, self._exchange.usage)
            self._end(event.delta.stop_reason, event.delta.stop_details)
        elif kind == "message_stop":
            self._ended = True
        return ""

    def reply(self, request: MessageRequest) -> Reply:
        """The answer; raises the ClaudeError that names why it is none."""
        text, thinking = "".join(self._texts), "".join(self._thinking)
        self._refuse_bad_end(text, thinking or self._exchange.usage.thinking_tokens > 0)
        return Reply(
            text=text,
            value=None if request.schema is None else _json(text),
            thinking=thinking,
            model=self._model,
            stop_reason=self._stop_reason or "",
            usage=self._exchange.usage,
            request_id=self._exchange.request_id,
            first_token_seconds=self._exchange.first_token_seconds,
            duration_seconds=self._exchange.elapsed_seconds,
        )

    def _take_block(self, block: Any) -> str:
        if block.type == "text" and block.text:
            self._texts.append(block.text)
            return str(block.text)
        if block.type == "thinking" and block.thinking:
            self._thinking.append(block.thinking)
        return ""

    def _take_delta(self, delta: Any) -> str:
        if delta.type == "text_delta":
            self._texts.append(delta.text)
            return str(delta.text)
        if delta.type == "thinking_delta":
            self._thinking.append(delta.thinking)
        return ""

    def _end(self, stop_reason: str | None, details: Any) -> None:
        self._stop_reason = stop_reason or self._stop_reason
        self._refusal = getattr(details, "category", None) or self._refusal

    def _refuse_bad_end(self, text: str, thought: bool | str) -> None:
        reason = self._stop_reason
        if reason == "refusal":
            raise ClaudeRefused("The model declined to answer" + (f": {self._refusal}." if self._refusal else "."))
        if not self._ended:
            raise ClaudeCutStream("The stream ended before the message did.")
        if thought and not text and reason in ("max_tokens", "end_turn"):
            raise ClaudeThinkingOnly("The answer has thinking and no text.")
        if reason == "max_tokens":
            raise ClaudeTruncated(f"The answer met max_tokens after {self._exchange.usage.output_tokens:,} tokens.")
        if reason == "model_context_window_exceeded":
            raise ClaudeTruncated("The answer met the end of the model's context.", SHORTER_PROMPT)
        if reason not in ("end_turn", "stop_sequence"):
            raise ClaudeInvalid(f"The answer ended for a reason that was not asked for: {reason}.")
        if not text and reason == "end_turn":
            raise ClaudeInvalid("The answer has no text.")


def read_usage(given: Any, before: Usage) -> Usage:
    """Tokens as the API counts them, over what was known before: the counts of a stream are running totals.

    Where the writes to its prompt cache are not split by their life, they count as those of 5 minutes.
    """
    if given is None:
        return before
    split, details = getattr(given, "cache_creation", None), given.output_tokens_details
    hour = before.cache_write_1h_tokens if split is None else split.ephemeral_1h_input_tokens or 0
    written = given.cache_creation_input_tokens
    if written is None:
        written = before.cache_write_5m_tokens + before.cache_write_1h_tokens
    return Usage(
        input_tokens=_known(given.input_tokens, before.input_tokens),
        cache_read_tokens=_known(given.cache_read_input_tokens, before.cache_read_tokens),
        cache_write_5m_tokens=max(0, written - hour),
        cache_write_1h_tokens=hour,
        output_tokens=_known(given.output_tokens, before.output_tokens),
        thinking_tokens=before.thinking_tokens if details is None else details.thinking_tokens,
    )


def _known(count: int | None, before: int) -> int:
    return before if count is None else count


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
