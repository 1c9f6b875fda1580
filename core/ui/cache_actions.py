"""What an operator does to the cache: small panels that say what they run and ask first, and the word on what came of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import streamlit as st

from core.operations import Operation
from core.resilience import BreakerState
from core.ui.session import attempt, guard, operator, services
from core.ui.text import plain

MESSAGE = "cache_message"


def act(work: Callable[[], Coroutine[Any, Any, Operation]]) -> bool:
    """Do it in a callback, with the role checked again; what came of it is kept for `draw_message`."""
    guard("operator")
    box: list[Operation] = []

    async def kept() -> None:
        box.append(await work())

    error = attempt(kept())
    st.session_state[MESSAGE] = error or box[0]
    return not error


def draw_message() -> None:
    """What the last action came to: an error until the next action, a success once."""
    message = st.session_state.get(MESSAGE)
    if isinstance(message, Operation):
        st.session_state.pop(MESSAGE)
        waits = bool((message.result or {}).get("waits_for_redis"))
        rest = (
            "runs on, see Activity" if message.running else "done" if not waits else "done here; Redis is told when it answers"
        )
        st.toast(f"{plain(message.title)}: {rest}", icon=":material/hourglass:" if waits else ":material/check_circle:")
    elif message:
        st.error(plain(str(message)), icon=":material/error:")


def ask(label: str, icon: str, key: str, sentence: str, commands: Sequence[str], on_click: Callable[[], None]) -> None:
    """A button that opens what the action does and runs, and the one that does it."""
    refusal = services().cache_operations.refusal()
    with st.popover(label, icon=f":material/{icon}:", key=f"ask-{key}", disabled=bool(refusal), help=refusal or None):
        st.markdown(sentence)
        st.code("\n".join(commands), language="bash", wrap_lines=True)
        st.button(label, key=key, type="primary", icon=f":material/{icon}:", disabled=bool(refusal), on_click=on_click)


def redis_switch(state: BreakerState) -> None:
    """Keep the cache of this process away from Redis, or let it decide by itself again."""
    use = state == "forced_open"
    label = "Use Redis again" if use else "Keep away"
    sentence = (
        "The breaker decides by itself again whether Redis is asked."
        if use
        else "Reads of this process are answered by its memory, for moments, and by the loaders; PostgreSQL has to bear that."
    )
    commands = ("the circuit breaker redis of this process: " + ("automatic" if use else "open until Use Redis again"),)
    ask(label, "power" if use else "power_off", "redis-switch", sentence, commands, lambda: _use_redis(use))


def _use_redis(use: bool) -> None:
    act(lambda: services().cache_operations.use_redis(use, operator=operator()))
