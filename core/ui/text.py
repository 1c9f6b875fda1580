"""Text: words of people and programs on a page, shown as they are."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&=^])")


def plain(text: str) -> str:
    """The text with everything escaped that Markdown, colours, icons or formulas would be made of."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
