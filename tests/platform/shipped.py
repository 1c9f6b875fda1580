"""The prompts that ship, as tests read them."""

from __future__ import annotations

from pathlib import Path

import core.platform
from core.claude.prompt_files import read_prompts
from core.claude.prompts import PromptVersion

FOLDER = Path(core.platform.__path__[0]) / "shipped_prompts"


def shipped_prompts() -> dict[str, PromptVersion]:
    """Each of them by its name."""
    return {prompt.name: prompt for prompt in read_prompts(FOLDER)}


def shipped_prompt(name: str) -> PromptVersion:
    """One of them."""
    return shipped_prompts()[name]
