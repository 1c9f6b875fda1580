"""Answers: what the rehearsal says to a question: blocks, stop reason and usage.

Owns that the same question gets the same answer. Thinking counts inside max_tokens; an answer that meets it is cut there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from core.claude.rehearsal import tokens
from core.claude.rehearsal.question import Question
from core.claude.rehearsal.schema_values import schema_value

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "refusal"]

# Tokens of thinking by effort, before a spread of 0.5 to 1.5; more effort, more thinking.
THINKING_TOKENS = {"low": 40, "medium": 120, "high": 320, "xhigh": 700, "max": 1500}
_THOUGHTS = (
    "What is asked, and which facts are given? ",
    "Facts that are not given must not be invented. ",
    "The answer should be short and name what to do next. ",
    "Check the figures once more before writing. ",
)
_PROSE = (
    "The request arrived whole and was read as the API would read it.",
    "Times, tokens and costs shown for it follow the dials of the rehearsal.",
    "The same request gets this same text again.",
    "What a model would say about the facts in the prompt is not known here.",
    "Set ANTHROPIC_API_KEY to get an answer that is worth reading.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """An answer before its input is counted; `stop_sequence` is the one that was met."""

    thinks: bool
    thinking: str
    thinking_tokens: int
    text: str
    stop_reason: StopReason
    stop_sequence: str | None = None

    @property
    def output_tokens(self) -> int:
        """Thinking and text together."""
        return self.thinking_tokens + tokens.count(self.text)


def draft(
    question: Question,
    author: Callable[[Mapping[str, Any]], str | None] | None,
    *,
    truncate: bool = False,
    refuse: bool = False,
) -> Drafted:
    """The whole answer to a question, or its part up to max_tokens, or to half of it where it is to be truncated."""
    if question.max_tokens == 0:  # Only fills the prompt cache.
        return Drafted(thinks=False, thinking="", thinking_tokens=0, text="", stop_reason="max_tokens")
    if refuse:
        return Drafted(thinks=False, thinking="", thinking_tokens=0, text="", stop_reason="refusal")
    chance = random.Random(question.seed)  # noqa: S311 - makes an answer, protects nothing
    thinking_tokens = int(THINKING_TOKENS[question.effort] * (0.5 + chance.random())) if question.thinks else 0
    text, met = _until(_text(question, author, chance), question.stop_sequences)
    most = question.max_tokens
    if truncate:
        most = max(1, min(most, thinking_tokens + tokens.count(text) // 2))
    ends = thinking_tokens + tokens.count(text) <= most
    thinking_tokens = min(thinking_tokens, most)
    return Drafted(
        thinks=question.thinks,
        thinking=_thinking(chance, thinking_tokens) if question.shows_thinking else "",
        thinking_tokens=thinking_tokens,
        text=text if ends else tokens.cut(text, most - thinking_tokens),
        stop_reason="max_tokens" if not ends or truncate else "end_turn" if met is None else "stop_sequence",
        stop_sequence=met if ends and not truncate else None,
    )


def _text(question: Question, author: Callable[[Mapping[str, Any]], str | None] | None, chance: random.Random) -> str:
    written = author(question.body) if author is not None else None
    if written is not None:
        return written
    if question.schema is not None:
        return orjson.dumps(schema_value(question.schema, chance)).decode()
    sentences = chance.sample(_PROSE[:-1], 2)
    said = f"This is a rehearsal: no model has read these {question.input_words} words. "
    return said + " ".join(sentences) + " " + _PROSE[-1]


def _until(text: str, stop_sequences: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(place, word) for word in stop_sequences if (place := text.find(word)) >= 0]
    if not found:
        return text, None
    place, word = min(found)
    return text[:place], word


def _thinking(chance: random.Random, length: int) -> str:
    start = chance.randrange(len(_THOUGHTS))
    written = "".join(_THOUGHTS[(start + step) % len(_THOUGHTS)] for step in range(1 + length // 10))
    return tokens.cut(written * (1 + length * tokens.CHARACTERS // len(written)), length)
