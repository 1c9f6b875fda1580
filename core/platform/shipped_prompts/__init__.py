"""Shipped prompts: the texts that come with the console, one TOML file each."""

from __future__ import annotations

from pathlib import Path

from core.claude.prompt_files import read_prompts
from core.claude.prompts import PromptVersion


def shipped_prompts() -> tuple[PromptVersion, ...]:
    """Every prompt of this folder; raises SettingsError for a file that cannot work."""
    return read_prompts(Path(__file__).parent)
