"""Prompt lines: the lines of a shell and of SQL that do what the buttons of the prompts page do."""

from __future__ import annotations

import shlex

from core.platform.prompt_inputs import PromptInput
from core.platform.prompt_trials import Candidate


def ask_line(candidate: Candidate, given: PromptInput) -> str:
    """The line that asks the same; a draft has none until it is saved."""
    prompt = candidate.prompt
    if not prompt.version:
        return f"# {candidate.label} of {prompt.name} has no line: save it first"
    values = given.of(prompt)
    parts = [f"--var {shlex.quote(f'{name}={value}')}" for name, value in values.items()]
    return " ".join(["python -m core ask", f"--prompt {prompt.name}", f"--version {prompt.version}", *parts])


def use_line(name: str, version: int) -> str:
    """The statement that lets a version answer."""
    return f"UPDATE console.prompts SET in_use = {version:d} WHERE name = {_literal(name)};"  # noqa: S608 - shown, never run


def archive_line(name: str, operator: str | None) -> str:
    """The statement that puts a prompt away, or takes it out again."""
    values = (
        "archived_by = NULL, archived_at = NULL"
        if operator is None
        else f"archived_by = {_literal(operator)}, archived_at = coalesce(archived_at, now())"
    )
    return f"UPDATE console.prompts SET {values} WHERE name = {_literal(name)};"  # noqa: S608 - shown, never run


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
