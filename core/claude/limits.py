"""Limits: what the headers of an answer say of the account's rate limits, and of when to come back.

Names of the headers: platform.claude.com/docs/en/api/rate-limits. What cannot be read is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core.claude.messages import RateHeadroom

PREFIX = b"anthropic-ratelimit-"
RETRY_AFTER_CAP_SECONDS = 300.0  # Limits are per minute; whoever asks for hours is asked again, which costs nothing.


def headroom(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, RateHeadroom]:
    """Headroom by kind (requests, tokens, input_tokens, output_tokens) from raw headers."""
    found: dict[str, dict[str, str]] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered.startswith(PREFIX):
            kind, _, part = lowered[len(PREFIX) :].decode("latin-1").rpartition("-")
            found.setdefault(kind.replace("-", "_"), {})[part] = value.decode("latin-1")
    return {kind: read for kind, parts in found.items() if (read := _headroom(parts)) is not None}


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait as the server asks, not capped; None where it does not say."""
    try:
        if (text := headers.get("retry-after-ms")) is not None:
            return _seconds(float(text) / 1000)
        if (text := headers.get("retry-after")) is None:
            return None
        try:
            return _seconds(float(text))
        except ValueError:
            at = parsedate_to_datetime(text)
            return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
    except ValueError:
        return None


def _seconds(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0 else None


def _headroom(parts: Mapping[str, str]) -> RateHeadroom | None:
    try:
        limit, remaining = int(parts["limit"]), int(parts["remaining"])
    except (KeyError, ValueError):
        return None
    try:
        resets_at = datetime.fromisoformat(parts["reset"])
    except (KeyError, ValueError):
        resets_at = None
    if resets_at is not None and resets_at.tzinfo is None:
        resets_at = resets_at.replace(tzinfo=UTC)
    return RateHeadroom(limit=limit, remaining=remaining, resets_at=resets_at)
