"""Messages: what is asked of Claude, and what came back; the data that crosses the border of core.claude.

Owns the words for lanes, sources and what decides an answer. Everything is frozen. Tokens are counted as the Messages API does:
its three buckets of input are disjoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson

Effort = Literal["low", "medium", "high", "xhigh", "max"]
Thinking = Literal["off", "adaptive"]
Lane = Literal["interactive", "background"]
Priority = Literal["critical", "high", "normal", "low"]
Scope = Literal["claude", "rehearsal"]
"""Whose answers and whose money: nothing of the one is ever counted or kept with the other."""
Source = Literal["claude", "cache", "stale", "rehearsal", "rules"]

OnText = Callable[[str], None]
"""Gets each piece of text as it arrives; called on the services' loop, and must not wait."""

OnAttempt = Callable[["AttemptRecord"], None]
"""Gets each exchange with the API when it is over, before its reply or its error; must not wait."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """Everything that decides an answer; there is no temperature, which the API refuses."""

    model: str
    turns: tuple[Turn, ...]
    max_tokens: int
    system: str = ""
    effort: Effort | None = None
    thinking: Thinking = "off"
    schema: Mapping[str, Any] | None = None
    stop_sequences: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """SHA-256 of all fields, in hexadecimal: two requests with the same one ask the same."""
        return hashlib.sha256(orjson.dumps(self, default=dict, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one attempt, or of several together; thinking tokens are a part of the output."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0

    @property
    def all_input_tokens(self) -> int:
        """Input of all three buckets."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_5m_tokens=self.cache_write_5m_tokens + other.cache_write_5m_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            thinking_tokens=self.thinking_tokens + other.thinking_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One attempt that ended well: text by blocks of type text; `value` is the JSON of a request with a schema, unchecked."""

    text: str
    value: Any
    thinking: str
    model: str
    stop_reason: str
    usage: Usage
    request_id: str
    first_token_seconds: float | None
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RateHeadroom:
    """What the answer's rate headers say of one kind: requests, input_tokens, output_tokens or tokens."""

    limit: int
    remaining: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One HTTP exchange with the API, whatever came of it; `outcome` is "ok" or the `kind` of a ClaudeError.

    `reached` is False where no connection was made, so that nothing can have been paid.
    """

    model: str
    outcome: str
    status: int | None
    request_id: str
    started_at: datetime
    duration_seconds: float
    first_token_seconds: float | None = None
    usage: Usage = Usage()
    retry_after_seconds: float | None = None
    reached: bool = True
    headroom: Mapping[str, RateHeadroom] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request with its purpose: which prompt and version it comes from, who waits for it and until when."""

    request: MessageRequest
    prompt_name: str
    prompt_version: str
    operator: str
    lane: Lane = "interactive"
    priority: Priority = "normal"
    deadline_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an ask came to; usage and cost are of all attempts and repairs that it took, 0 when it came from the cache.

    The cost is None where a price is not known.
    `first_token_seconds`, `duration_seconds` count from the ask; `queue_seconds` is their part before the first send.
    """

    text: str
    value: Any
    source: Source
    model: str
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    rehearsal: bool
    usage: Usage
    cost_usd: float | None
    attempts: tuple[AttemptRecord, ...]
    repairs: int
    queue_seconds: float
    first_token_seconds: float | None
    duration_seconds: float
    answered_at: datetime
    cache_outcome: str = ""
    cache_reason: str = ""
    cache_tier: str = ""
    age_seconds: float = 0.0
