"""Plain: text and JSON as PostgreSQL takes them: without NUL, without half of a surrogate pair, of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

MAX_DEPTH = 50


def plain_text(text: str, most: int | None = None) -> str:
    """The text with a replacement character for what PostgreSQL refuses; cut at `most` characters, which it then says."""
    if most is not None and len(text) > most:
        text = f"{text[:most]} ... ({len(text):,} characters, cut)"
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def plain_json(value: Any, most_bytes: int, depth: int = 0) -> Any:
    """The value with plain texts; None where it is larger than `most_bytes` or nested too deep."""
    if depth == 0:
        plain = plain_json(value, most_bytes, 1)
        return plain if plain is None or len(orjson.dumps(plain)) <= most_bytes else None
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 2**63 else str(value)
    if isinstance(value, Mapping):
        return {plain_text(str(key)): plain_json(item, most_bytes, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item, most_bytes, depth + 1) for item in value]
    return value
