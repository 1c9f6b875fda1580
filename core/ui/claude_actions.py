"""What an operator does on the Claude page: small panels that say what they run, and the word on what came of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import streamlit as st

from core.claude.scheduler import SchedulerStats
from core.claude.scheduler.hold import HOLD_SECONDS_MOST
from core.operations import Operation
from core.resilience import BreakerState
from core.ui.session import attempt, guard, operator, services
from core.ui.text import plain

MESSAGE = "claude_message"
HOLD_MINUTES = 15


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
        st.toast(f"{plain(message.title)}: done", icon=":material/check_circle:")
    elif message:
        st.error(plain(str(message)), icon=":material/error:")


def hold_switch(scheduler: SchedulerStats) -> None:
    """Hold background work for some minutes, or release it."""
    actions = services().claude_operations
    if scheduler.hold_seconds_left:
        sentence = "Background asks are sent again, as far as people leave room."
        _ask("Release background", "play_arrow", "claude-release", sentence, actions.release_commands(), _release)
        return
    with _popover("Hold background", "pause", "claude-hold"):
        st.markdown("Background asks wait in the queue, those under way go on, people are served as before. It ends by itself.")
        most = int(HOLD_SECONDS_MOST // 60)
        minutes = st.number_input("Minutes", 1, most, HOLD_MINUTES, key="claude_hold_minutes")
        _confirm("Hold background", "pause", "claude-hold", actions.hold_commands(minutes), _hold)


def breaker_switch(state: BreakerState) -> None:
    """Keep every ask from Claude, or let the breaker decide again."""
    actions = services().claude_operations
    if state == "closed":
        sentence = (
            "No ask of this process is sent: kept answers and the rules answer, background asks wait as long as they may."
        )
        label, icon, ask = "Keep away", "power_off", False
    else:
        sentence = "Asks are sent at once, and the breaker decides again by itself, with an empty window."
        label, icon, ask = "Ask Claude again", "power", True
    _ask(label, icon, "claude-breaker", sentence, actions.ask_claude_commands(ask), lambda: _ask_claude(ask))


def _hold() -> None:
    minutes = st.session_state["claude_hold_minutes"]
    act(lambda: services().claude_operations.hold(minutes, operator=operator()))


def _release() -> None:
    act(lambda: services().claude_operations.release(operator=operator()))


def _ask_claude(ask: bool) -> None:
    act(lambda: services().claude_operations.ask_claude(ask, operator=operator()))


def _popover(label: str, icon: str, key: str) -> Any:
    return st.popover(label, icon=f":material/{icon}:", key=f"ask-{key}")


def _ask(label: str, icon: str, key: str, sentence: str, commands: Sequence[str], on_click: Callable[[], None]) -> None:
    with _popover(label, icon, key):
        st.markdown(sentence)
        _confirm(label, icon, key, commands, on_click)


def _confirm(label: str, icon: str, key: str, commands: Sequence[str], on_click: Callable[[], None]) -> None:
    st.code("\n".join(commands), language=None, wrap_lines=True)
    st.button(label, key=key, type="primary", icon=f":material/{icon}:", on_click=on_click)
