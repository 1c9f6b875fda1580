"""Shipped prompts: the texts that come with the console, one TOML file each.

Owns the format of such a file: title, note, system, template, schema (JSON as text), model, max_tokens, effort, thinking.
Refuses a file that cannot work, by name, before anything is stored.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from core.claude.prompt_schema import parse_schema
from core.claude.prompts import SHIPPED, PromptVersion
from core.errors import SettingsError, UsageError

REQUIRED = ("title", "template", "max_tokens")
OPTIONAL = ("note", "system", "schema", "model", "effort", "thinking")


def read_prompts(folder: Path) -> tuple[PromptVersion, ...]:
    """The prompts of every `<name>.toml` in a folder, by name; raises SettingsError."""
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def _read(path: Path) -> PromptVersion:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        fields = _fields(table)
        return PromptVersion(name=path.stem, author=SHIPPED, **fields).checked()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, UsageError) as error:
        raise SettingsError(f"The prompt {path} cannot be used: {error}", "Correct the file and start again.") from error


def _fields(table: dict[str, Any]) -> dict[str, Any]:
    if missing := [name for name in REQUIRED if name not in table]:
        raise UsageError(f"it lacks {', '.join(missing)}.")
    if unknown := [name for name in table if name not in (*REQUIRED, *OPTIONAL)]:
        raise UsageError(f"it has {', '.join(unknown)}, which is no field of a prompt.")
    for name, value in table.items():
        wanted = int if name == "max_tokens" else str
        if type(value) is not wanted:
            raise UsageError(f"its {name} is no {'whole number' if wanted is int else 'text'}.")
    chosen = {name: value or None if name in ("model", "effort") else value for name, value in table.items()}
    return {**chosen, "schema": parse_schema(table.get("schema", ""))}
