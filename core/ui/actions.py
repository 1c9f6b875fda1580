"""Actions: what an operator does on a page: it is asked first, done in a callback, and what came of it is said once.

Owns the role's check and the message. Each page has a message of its own, so that an error stays where it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.operations import Operation
from core.ui.session import attempt, guard
from core.ui.text import plain


@dataclass(frozen=True, slots=True)
class Done:
    """A success in words; empty where the page shows it anyway."""

    text: str


def act(message_key: str, work: Callable[[], Coroutine[Any, Any, object]], said: str | None = None, keep: str = "") -> bool:
    """Do it, with the role checked again; what came of it is kept for `draw_message`, and the answer itself under `keep`.

    `said` is the word on a success; without it the work answers an operation, which has its own.
    """
    guard("operator")
    box: list[object] = []
    doing = work()  # Here, not on the loop's thread: it reads the session's fields.

    async def kept() -> None:
        box.append(await doing)

    error = attempt(kept())
    st.session_state[message_key] = error or (box[0] if said is None else Done(said))
    if keep and not error:
        st.session_state[keep] = box[0]
    return not error


def draw_message(message_key: str, waits_for: str = "") -> None:
    """What the last action came to: an error until the next action, a success once; `waits_for` says what is still to come."""
    message = st.session_state.get(message_key)
    if isinstance(message, Operation):
        st.session_state.pop(message_key)
        waits = bool(waits_for and (message.result or {}).get("waits_for_redis"))
        rest = "runs on, see Activity" if message.running else f"done here; {waits_for}" if waits else "done"
        st.toast(f"{plain(message.title)}: {rest}", icon=":material/hourglass:" if waits else ":material/check_circle:")
    elif isinstance(message, Done):
        st.session_state.pop(message_key)
        if message.text:
            st.toast(plain(message.text), icon=":material/check_circle:")
    elif message:
        st.error(plain(str(message)), icon=":material/error:")


def ask(
    label: str, icon: str, key: str, sentence: str, commands: Sequence[str], on_click: Callable[[], None], refusal: str = ""
) -> None:
    """A button that opens what the action does and runs, and the one that does it; off with its reason where it is refused."""
    with st.popover(label, icon=f":material/{icon}:", key=f"ask-{key}", disabled=bool(refusal), help=refusal or None):
        st.markdown(sentence)
        confirm(label, icon, key, commands, on_click, refusal)


def confirm(label: str, icon: str, key: str, commands: Sequence[str], on_click: Callable[[], None], refusal: str = "") -> None:
    """What the action runs, to copy, and the button that does it."""
    st.code("\n".join(commands), language="bash", wrap_lines=True)
    st.button(label, key=key, type="primary", icon=f":material/{icon}:", disabled=bool(refusal), on_click=on_click)
