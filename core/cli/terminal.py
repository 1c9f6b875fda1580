"""Terminal: text of others - a model's answer, a file's header - without what a terminal would obey."""

from __future__ import annotations

KEPT = "\n\t"


def harmless(text: str) -> str:
    """The text without control and format characters; an escape sequence is then only its letters."""
    return text if text.isprintable() else "".join(sign for sign in text if sign.isprintable() or sign in KEPT)
