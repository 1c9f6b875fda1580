"""What others wrote, on a terminal."""

from __future__ import annotations

from core.cli.terminal import harmless


def test_no_text_commands_the_terminal() -> None:
    """Escape sequences lose what makes them one, in seven bits and in eight; lines, tabs and letters of any script stay."""
    assert harmless("\x1b[2J\x1b]0;title\x07\x9b31m\u202etxt\r") == "[2J]0;title31mtxt"
    assert harmless("Zürich\t東京\nnext") == "Zürich\t東京\nnext"
