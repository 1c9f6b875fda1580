"""ClaudeErrors: what each kind of failed ask means and what to do about it, as core.errors has it."""

from __future__ import annotations

from core.errors import ClaudeError


def claude_error(kind: str) -> type[ClaudeError]:
    """The error of a kind; one that nobody knows is any failed ask."""
    return next((error for error in ClaudeError.__subclasses__() if error.kind == kind), ClaudeError)


def meaning(kind: str) -> str:
    """What it means, in a sentence."""
    return (claude_error(kind).__doc__ or "").split("\n", 1)[0]
