"""What an operator does on the Claude page: small panels that say what they run, and the word on what came of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import streamlit as st

from core.claude.scheduler import SchedulerStats
from core.claude.scheduler.hold import HOLD_SECONDS_MOST
from core.operations import Operation
from core.resilience import BreakerState
from core.ui import actions
from core.ui.session import operator, services

MESSAGE = "claude_message"
HOLD_MINUTES = 15


def act(work: Callable[[], Coroutine[Any, Any, Operation]]) -> bool:
    """Do it in a callback; what came of it is kept for `draw_message`."""
    return actions.act(MESSAGE, work)


def draw_message() -> None:
    """What the last action came to."""
    actions.draw_message(MESSAGE)


def hold_switch(scheduler: SchedulerStats) -> None:
    """Hold background work for some minutes, or release it."""
    told = services().claude_operations
    if scheduler.hold_seconds_left:
        sentence = "Background asks are sent again, as far as people leave room."
        actions.ask("Release background", "play_arrow", "claude-release", sentence, told.release_commands(), _release)
        return
    with st.popover("Hold background", icon=":material/pause:", key="ask-claude-hold"):
        st.markdown("Background asks wait in the queue, those under way go on, people are served as before. It ends by itself.")
        most = int(HOLD_SECONDS_MOST // 60)
        minutes = st.number_input("Minutes", 1, most, HOLD_MINUTES, key="claude_hold_minutes")
        actions.confirm("Hold background", "pause", "claude-hold", told.hold_commands(minutes), _hold)


def breaker_switch(state: BreakerState) -> None:
    """Keep every ask from Claude, or let the breaker decide again."""
    told = services().claude_operations
    if state == "closed":
        sentence = (
            "No ask of this process is sent: kept answers and the rules answer, background asks wait as long as they may."
        )
        label, icon, ask = "Keep away", "power_off", False
    else:
        sentence = "Asks are sent at once, and the breaker decides again by itself, with an empty window."
        label, icon, ask = "Ask Claude again", "power", True
    actions.ask(label, icon, "claude-breaker", sentence, told.ask_claude_commands(ask), lambda: _ask_claude(ask))


def _hold() -> None:
    minutes = st.session_state["claude_hold_minutes"]
    act(lambda: services().claude_operations.hold(minutes, operator=operator()))


def _release() -> None:
    act(lambda: services().claude_operations.release(operator=operator()))


def _ask_claude(ask: bool) -> None:
    act(lambda: services().claude_operations.ask_claude(ask, operator=operator()))
