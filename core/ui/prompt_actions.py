"""What an operator does with prompts: each action checks the role again, and says once what came of it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import streamlit as st

from core.claude.prompt_library import Saved
from core.claude.prompts import PromptVersion
from core.errors import UsageError
from core.ui.prompt_draft import discard, drafted
from core.ui.session import attempt, guard, operator, services
from core.ui.text import plain

DONE, FAILED = "prompt_done", "prompt_failed"
BLANK = "$text"


def draw_message() -> None:
    """What the last action came to: an error until the next action, a success once."""
    if done := st.session_state.pop(DONE, ""):
        st.success(done, icon=":material/check_circle:")
    if failed := st.session_state.get(FAILED, ""):
        st.error(plain(failed), icon=":material/error:")


def failed(error: str) -> None:
    """Say what went wrong, until the next action."""
    st.session_state[FAILED] = error


def save(base: PromptVersion) -> None:
    """Keep the draft of a version as a new one, and open that."""
    guard("operator")
    box: list[Saved] = []
    try:
        draft = drafted(base)
    except UsageError as error:
        failed(f"{error} {error.next_step}")
        return

    async def kept() -> None:
        box.append(await services().claude_parts.prompts.save(draft, based_on=base.version, author=operator()))

    if not base.version:
        failed("The store is away, so nothing can be saved; what you wrote stays here, and can be run.")
    elif _done(kept()):
        discard(base)
        st.query_params["version"] = str(box[0].version.version)
        st.session_state[DONE] = _saved_words(box[0], base.version)
    else:
        failed(f"Nothing was saved; what you wrote stays here. {st.session_state[FAILED]}")


def create(name: str, title: str, like: PromptVersion | None) -> None:
    """Make a new prompt, empty or as a copy, and open it."""
    guard("operator")
    box: list[Saved] = []

    async def kept() -> None:
        blank = PromptVersion(name=name, title=title, template=BLANK, max_tokens=300)
        made = blank if like is None else like.edited(name=name, title=title)
        box.append(await services().claude_parts.prompts.save(made, based_on=0, author=operator()))

    if _done(kept()):
        st.query_params["prompt"] = name
        st.session_state[DONE] = f"{plain(name)} is there: write its text, try it, save the next version."


def use(name: str, version: int) -> None:
    """Let a version answer."""
    guard("operator")
    if _done(services().claude_parts.prompts.use(name, version, operator())):
        st.session_state[DONE] = f"Version {version} of {plain(name)} answers from now on; other processes follow within 5 s."


def archive(name: str, *, restore: bool) -> None:
    """Put a prompt away, or take it out again."""
    guard("operator")
    library = services().claude_parts.prompts
    if _done(library.restore(name) if restore else library.archive(name, operator())):
        st.session_state[DONE] = f"{plain(name)} is {'back on the list' if restore else 'in the archive'}."


def _done(work: Coroutine[Any, Any, object]) -> bool:
    st.session_state[FAILED] = attempt(work)
    return not st.session_state[FAILED]


def _saved_words(saved: Saved, based_on: int) -> str:
    number = saved.version.version
    if not saved.created:
        return f"Nothing differs from version {number}, so no new one was made."
    others = ", ".join(map(str, saved.others))
    told = (
        f" Meanwhile somebody else saved version {others} from the same beginning: Versions shows what differs."
        if saved.others
        else ""
    )
    return f"Saved as version {number}, made from version {based_on}. It does not answer yet: try it, then use it.{told}"
