"""What an operator does on the database page: the callbacks, and the word on what came of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.database.explain import Explained
from core.database.plan_tree import plan_lines
from core.platform.units import duration
from core.ui import actions
from core.ui.verdict import clock

MESSAGE = "database_message"


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan that was asked for, and when."""

    explained: Explained
    at: datetime


def act(work: Callable[[], Coroutine[Any, Any, Any]], keep: str = "", said: str = "") -> bool:
    """Do it in a callback; its answer is kept under `keep`, an error for `draw_message`."""
    return actions.act(MESSAGE, work, said, keep)


def draw_message() -> None:
    """What the last action came to."""
    actions.draw_message(MESSAGE)


def explain_into(key: str, work: Callable[[], Coroutine[Any, Any, Explained]]) -> None:
    """The callback of every Explain button."""

    async def shown() -> Shown:
        return Shown(await work(), datetime.now(UTC))

    st.session_state.pop(key, None)
    act(shown, keep=key)


def draw_plan(shown: Shown) -> None:
    """The tree, and under it what the whole run cost."""
    found = shown.explained
    st.code("\n".join(plan_lines(found.plan)), language=None)
    if found.execution_seconds is None:
        st.warning("It was ended for its length. This is the plan that PostgreSQL expects; nothing of it was measured.",
                   icon=":material/timer_off:")  # fmt: skip
        return
    pages = f"{found.hit:,} pages from memory, {found.read:,} read"
    times = f"planned in {duration(found.planning_seconds)}, run in {duration(found.execution_seconds)}"
    st.caption(f"{times} · {found.rows:,} rows · {pages} · at {clock(shown.at, datetime.now(UTC))}, then rolled back")


def what_it_runs(commands: Sequence[str]) -> None:
    """The exact statements, to copy."""
    with st.expander("What it runs", icon=":material/terminal:"):
        st.code("\n".join(commands), language="sql", wrap_lines=True)
