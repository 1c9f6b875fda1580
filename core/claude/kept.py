"""Kept: the form in which an answer lies in the cache, and the answer that is made of it.

Owns that form: JSON, without who asked. A kept answer costs nothing again, so its usage, cost and attempts are left behind.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.claude.messages import Answer, Source, Usage
from core.ports import Read


def kept_form(answer: Answer) -> dict[str, Any]:
    """What of an answer is cached."""
    return {
        "text": answer.text,
        "value": answer.value,
        "model": answer.model,
        "prompt_name": answer.prompt_name,
        "prompt_version": answer.prompt_version,
        "prompt_hash": answer.prompt_hash,
        "rehearsal": answer.rehearsal,
        "answered_at": answer.answered_at.isoformat(),
    }


def answer_of(read: Read, duration_seconds: float) -> Answer:
    """The answer that a hit or a stale read gives."""
    kept: dict[str, Any] = read.value
    source: Source = "stale" if read.outcome == "stale" else "rehearsal" if kept["rehearsal"] else "cache"
    return Answer(
        text=kept["text"],
        value=kept["value"],
        source=source,
        model=kept["model"],
        prompt_name=kept["prompt_name"],
        prompt_version=kept["prompt_version"],
        prompt_hash=kept["prompt_hash"],
        rehearsal=kept["rehearsal"],
        usage=Usage(),
        cost_usd=0.0,
        attempts=(),
        repairs=0,
        queue_seconds=0.0,
        first_token_seconds=None,
        duration_seconds=duration_seconds,
        answered_at=datetime.fromisoformat(kept["answered_at"]),
        cache_outcome=read.outcome,
        cache_reason=read.reason,
        cache_tier=read.tier,
        age_seconds=read.age_seconds,
    )
