"""Claude figures: what an answer took, as JSON values and as a line of a terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core.claude.messages import Answer

REHEARSAL = "REHEARSAL: no key is set, so this is no answer of Claude."


def figures(answer: Answer | None) -> dict[str, Any]:
    """Tokens, dollars and seconds of all attempts; all zero for an answer out of the cache."""
    if answer is None:
        return {}
    names = ("cost_usd", "repairs", "queue_seconds", "first_token_seconds", "duration_seconds", "cache_outcome", "age_seconds")
    return {**{name: getattr(answer, name) for name in names}, "attempts": len(answer.attempts), "usage": asdict(answer.usage)}


def figures_line(answer: Answer) -> str:
    """The same in words, with the model."""
    usage = answer.usage
    parts = [answer.model]
    if answer.attempts:
        parts.append(f"{usage.all_input_tokens:,} tokens in, {usage.output_tokens:,} out")
        parts.append("cost not known" if answer.cost_usd is None else f"{answer.cost_usd:.6f} dollars")
        if answer.first_token_seconds is not None:
            parts.append(f"first token {answer.first_token_seconds:.2f} s")
    else:
        parts.append(f"{'an expired answer' if answer.source == 'stale' else 'kept'}, {answer.age_seconds:,.0f} s old")
    return ", ".join([*parts, f"total {answer.duration_seconds:.2f} s"])
