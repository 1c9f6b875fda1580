"""What is written and not saved yet: it outlives reruns, other sections, other versions and other pages, until it is saved.

Each version that is edited has a text of its own in the session, so that opening another one loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import streamlit as st

from core.claude.prompt_schema import parse_schema
from core.claude.prompts import PromptVersion
from core.errors import ClaudeModelRetired, UsageError
from core.platform.prompt_trials import Candidate
from core.ui.session import services

DRAFTS = "prompt_drafts"
FIELDS = ("title", "system", "template", "schema", "model", "max_tokens", "effort", "thinking", "note")
Texts = Mapping[str, Any]


def texts_of(prompt: PromptVersion) -> Texts:
    """A version as the editor shows it; a note is of one version, so it begins empty."""
    schema = "" if prompt.schema is None else orjson.dumps(dict(prompt.schema), option=orjson.OPT_INDENT_2).decode()
    given = {name: getattr(prompt, name) for name in FIELDS}
    return {**given, "schema": schema, "model": prompt.model or "", "effort": prompt.effort or "", "note": ""}


def written(base: PromptVersion) -> Texts:
    """What the editor holds for a version: its own texts, and what was changed of them."""
    return {**texts_of(base), **_drafts().get(_key(base), {})}


def write(base: PromptVersion, field: str, value: Any) -> None:
    """Keep what was typed; a text that is the version's own again is no change."""
    changed = {**_drafts().get(_key(base), {}), field: value}
    own = texts_of(base)
    left = {name: text for name, text in changed.items() if text != own[name]}
    if left:
        _drafts()[_key(base)] = left
    else:
        _drafts().pop(_key(base), None)


def replace_text(base: PromptVersion, prompt: PromptVersion) -> None:
    """Let the editor of a version hold another text."""
    for name, value in texts_of(prompt).items():
        write(base, name, value)
        st.session_state.pop(widget(base, name), None)


def discard(base: PromptVersion) -> None:
    """Forget what was not saved of a version."""
    _drafts().pop(_key(base), None)
    for name in FIELDS:
        st.session_state.pop(widget(base, name), None)


def is_changed(base: PromptVersion) -> bool:
    """Whether there is something to save."""
    return _key(base) in _drafts()


def unsaved() -> tuple[tuple[str, int], ...]:
    """The prompts and versions that have unsaved texts in this session."""
    return tuple(_drafts())


def drafted(base: PromptVersion) -> PromptVersion:
    """The version that saving would make, checked; raises UsageError."""
    texts = dict(written(base))
    texts |= {"schema": parse_schema(texts["schema"]), "model": texts["model"] or None, "effort": texts["effort"] or None}
    return base.edited(**texts)


def candidate_of(base: PromptVersion) -> Candidate | None:
    """The draft of a version as something to run; None where nothing is changed or it cannot work."""
    if not is_changed(base):
        return None
    try:
        draft = drafted(base)
    except UsageError:
        return None
    return None if draft.content_hash == base.content_hash else Candidate(prompt=draft, draft_of=base.version)


def model_words(prompt: PromptVersion) -> str:
    """What is to be said of a text's model: that it retires, or does not take the text; empty when all is well."""
    parts = services().claude_parts
    try:
        warning = parts.models.check(prompt.model or parts.model, datetime.now(UTC).date())
        parts.models.check_request(parts.request_of(prompt, dict.fromkeys(prompt.variables, "x")))
    except (ClaudeModelRetired, UsageError) as error:
        return f"{error} {error.next_step}"
    return warning or ""


def widget(base: PromptVersion, field: str) -> str:
    """The key of a field's widget."""
    return f"edit-{base.name}-{base.version}-{field}"


def _key(base: PromptVersion) -> tuple[str, int]:
    return base.name, base.version


def _drafts() -> dict[tuple[str, int], dict[str, Any]]:
    drafts: dict[tuple[str, int], dict[str, Any]] = st.session_state.setdefault(DRAFTS, {})
    return drafts
