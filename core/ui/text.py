"""Text: words of people and programs on a page, shown as they are."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&=^])")


def plain(text: str) -> str:
    """The text with everything escaped that Markdown, colours, icons or formulas would be made of."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def plain_step(text: str) -> str:
    """The same of a next step, but what stands between its backticks is code."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(part if part[:1] == "`" == part[-1:] and len(part) > 1 else _SPECIAL.sub(r"\\\1", part) for part in parts)
