"""Kept: the form in which an answer lies in the cache, and the answer that is made of it.

Owns that form: JSON, without who asked. A kept answer costs nothing again, so its usage, cost and attempts are left behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.claude.messages import Answer, Reply, Source, Usage
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


def answer_of(read: Read, duration_seconds: float) -> Answer | None:
    """The answer that a hit or a stale read gives; None where what was kept is none."""
    try:
        return _answer(read.value, read, duration_seconds)
    except (LookupError, TypeError, ValueError):
        return None


def reply_of(answer: Answer) -> Reply:
    """A kept answer in the form that checks take."""
    return Reply(
        text=answer.text,
        value=answer.value,
        thinking="",
        model=answer.model,
        stop_reason="end_turn",
        usage=answer.usage,
        request_id="",
        first_token_seconds=None,
        duration_seconds=0.0,
    )


def _answer(kept: Mapping[str, Any], read: Read, duration_seconds: float) -> Answer:
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
