"""PromptDiff: what two versions of a prompt differ in, field by field."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import orjson

from core.claude.prompts import CONTENT, PromptVersion


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field that differs: both texts, and the lines of a unified diff without its head."""

    field: str
    before: str
    after: str
    lines: tuple[str, ...]


def diff(before: PromptVersion, after: PromptVersion) -> tuple[FieldDiff, ...]:
    """The fields that decide an answer, and the title, where they differ; a schema is compared as indented JSON."""
    texts = {name: (_text(getattr(before, name)), _text(getattr(after, name))) for name in CONTENT}
    return tuple(FieldDiff(name, old, new, _lines(old, new)) for name, (old, new) in texts.items() if old != new)


def _lines(before: str, after: str) -> tuple[str, ...]:
    unified = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return tuple(unified)[2:]  # The first two name files.


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
