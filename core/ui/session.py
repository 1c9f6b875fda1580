"""Session: how a page reaches the services, and the guard that every page starts with."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

import streamlit as st

from core import runtime
from core.errors import CoreError
from core.services import Services

T = TypeVar("T")
Role = Literal["viewer", "operator"]
RUN_TIMEOUT_SECONDS = 10.0
_ENTERED = "_entered_through_app"


def services() -> Services:
    """The services of this process."""
    return runtime.get().services


def run(work: Coroutine[Any, Any, T], timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> T:
    """Run a coroutine of the services; on an error of core the page says what to do and stops there."""
    try:
        return runtime.get().gate.run(work, timeout_seconds)
    except CoreError as error:
        st.error(f"{error} {error.next_step}", icon=":material/error:")
        st.stop()


def run_quietly(work: Coroutine[Any, Any, T], otherwise: T, timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> T:
    """Run a coroutine of the services for a detail of the page, which goes on without it when a server is down."""
    try:
        return runtime.get().gate.run(work, timeout_seconds)
    except CoreError:
        return otherwise


def attempt(work: Coroutine[Any, Any, object], timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> str:
    """Run an action of a callback; returns what went wrong and what to do, empty when all went well."""
    try:
        runtime.get().gate.run(work, timeout_seconds)
    except CoreError as error:
        return f"{error} {error.next_step}"
    return ""


def operator() -> str:
    """Who acts in this session, for the record of operations."""
    return "local operator"


def enter() -> None:
    """Mark this session as having come through `app.py`."""
    st.session_state[_ENTERED] = True


def guard(role: Role) -> None:
    """Let the page run only behind `app.py` and only for `role`; the first call of every page."""
    # Without access control the one user is the local operator, who has every role; only loopback is bound.
    if not st.session_state.get(_ENTERED):
        st.error(f"This page is opened through the console's first page (role: {role}).", icon=":material/lock:")
        st.page_link("app.py", label="Open the console")
        st.stop()
