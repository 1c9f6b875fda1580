"""Bounds: turns whatever an operation is given or returns into text and JSON that the store takes, of bounded size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

JSON_MAX_BYTES = 64 * 1024
TEXT_MAX_CHARACTERS = 8_000
MAX_DEPTH = 20
MAX_INTEGER = 2**63 - 1


def bounded_text(text: object, most: int = TEXT_MAX_CHARACTERS) -> str:
    """Text that PostgreSQL takes (no NUL, no lone surrogate), cut at `most` characters, which it then says."""
    plain = str(text)
    if len(plain) > most:
        plain = f"{plain[:most]} ... ({len(plain):,} characters, cut)"
    return plain.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def bounded_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping as plain JSON of at most 64 KB; what did not fit is named under "truncated"."""
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    size_bytes = 0
    for key, value in values.items():
        name, plain = bounded_text(key, 200), _plain(value)
        item_bytes = len(orjson.dumps({name: plain}))
        if size_bytes + item_bytes > JSON_MAX_BYTES and isinstance(plain, str):
            plain = bounded_text(plain)
            item_bytes = len(orjson.dumps({name: plain}))
        if size_bytes + item_bytes > JSON_MAX_BYTES:
            left_out.append(name)
            continue
        kept[name] = plain
        size_bytes += item_bytes
    if left_out:
        kept["truncated"] = f"{len(left_out)} of {len(values)} values did not fit: {bounded_text(', '.join(left_out), 1_000)}"
    return kept


def bounded_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines of at most 64 KB together; the last one says how many were left out."""
    kept: list[str] = []
    size_bytes = left_out = 0
    for line in lines:
        plain = bounded_text(line)
        size_bytes += len(plain.encode()) + 3
        if size_bytes > JSON_MAX_BYTES:
            left_out += 1
        else:
            kept.append(plain)
    return (*kept, f"... {left_out:,} more lines were left out") if left_out else tuple(kept)


def bounded_count(number: float) -> int:
    """A whole number that a bigint holds; 0 for one that is none."""
    return max(-MAX_INTEGER, min(MAX_INTEGER, int(number))) if math.isfinite(number) else 0


def _plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_INTEGER else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {bounded_text(key, 200): _plain(item, depth + 1) for key, item in value.items()}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return bounded_text(value, JSON_MAX_BYTES)
