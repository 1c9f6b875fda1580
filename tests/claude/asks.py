"""Asks and attempts as tests need them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.claude.messages import Answer, Ask, AttemptRecord, MessageRequest, Turn, Usage

MODEL = "claude-haiku-5-5"


def ask_of(text: str = "Say yes.", *, operator: str = "anna", prompt: str = "lead_qualification", model: str = MODEL) -> Ask:
    """A small ask."""
    request = MessageRequest(model=model, turns=(Turn("user", text),), max_tokens=1_000)
    return Ask(request=request, prompt_name=prompt, prompt_version="1", operator=operator)


def attempt_of(
    outcome: str = "ok", *, status: int | None = 200, usage: Usage | None = None, model: str = MODEL, reached: bool = True
) -> AttemptRecord:
    """One exchange; without another usage 400 tokens in and 150 out."""
    return AttemptRecord(
        model=model,
        outcome=outcome,
        status=status,
        request_id="req_1",
        started_at=datetime.now(UTC),
        duration_seconds=0.5,
        reached=reached,
        usage=usage or Usage(input_tokens=400, output_tokens=150),
    )


def answer_of(**changes: Any) -> Answer:
    """An answer of Claude's, not out of the cache."""
    fields: dict[str, Any] = {
        "text": "Call her.", "value": {"score": 71}, "source": "claude", "model": MODEL, "prompt_name": "lead_qualification",
        "prompt_version": "1", "prompt_hash": "a" * 64, "rehearsal": False, "cost_usd": 0.000115, "attempts": (attempt_of(),),
        "usage": Usage(input_tokens=300, cache_read_tokens=100, output_tokens=150), "repairs": 0, "queue_seconds": 0.0,
        "first_token_seconds": 0.4, "duration_seconds": 1.2, "answered_at": datetime.now(UTC),
    }  # fmt: skip
    return Answer(**{**fields, **changes})
