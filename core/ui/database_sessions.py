"""Sessions on the database page: who waits for whom, since when and why, and the guarded end of one statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import streamlit as st

from core.database.sessions import GRANT_READ, ServerSession, ServerSessions, Waiting, cancel_command, terminate_command
from core.platform.panel import Panel
from core.platform.units import duration
from core.ui.database_actions import act
from core.ui.session import operator, services
from core.ui.text import plain
from core.ui.verdict import span

MOST = 500  # As the query has it.
QUERY_CHARACTERS = 300
Colour = Literal["red", "orange", "blue", "gray"]
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(format="%d", width=70),
    "State": st.column_config.TextColumn(width=150),
    "For": st.column_config.TextColumn(width=80, help="How long it has been in this state."),
    "Transaction": st.column_config.TextColumn(width=90, help="How long its transaction has been open."),
    "Application": st.column_config.TextColumn(width=170),
    "User": st.column_config.TextColumn(width=100),
    "Waits for": st.column_config.TextColumn(width=170),
    "Statement": st.column_config.TextColumn(width="large"),
}


def sessions_panel(panel: Panel[ServerSessions]) -> None:
    """The trees of who waits for whom, then every session."""
    found = panel.value
    if found is None or panel.error:
        age = f" What was known is {panel.age_seconds:.0f} s old and is not shown." if found else ""
        why = plain(panel.error.rstrip("."))
        st.warning(f"Who is connected cannot be told: {why}. {panel.next_step}{age}", icon=":material/cloud_off:")
        return
    _rights(found)
    st.subheader("Who waits for whom", anchor=False)
    if not found.trees:
        st.success("Nobody waits for a lock.", icon=":material/check_circle:")
    for tree in found.trees:
        _node(tree, "holds up " + _count(sum(1 for _ in tree.below())))
    _all(found, panel.age_seconds)


def _rights(found: ServerSessions) -> None:
    if not found.may_read:
        grant = GRANT_READ.format(user=found.user)
        hidden = f"{found.hidden} sessions of other roles are hidden" if found.hidden else "Sessions of other roles are hidden"
        st.warning(f"{hidden}. A superuser shows them: `{grant}`", icon=":material/visibility_off:")


def _count(number: int) -> str:
    return "1 session" if number == 1 else f"{number} sessions"


def _node(waiting: Waiting, role: str = "") -> None:
    """One session with those that wait for it inside of its frame."""
    with st.container(border=True, gap="small"):
        session = waiting.session
        if session is None:
            _unseen(waiting.pid, role)
        else:
            _session(session, role)
        for waiter in waiting.waiters:
            _node(waiter)


def _unseen(pid: int, role: str) -> None:
    if pid:
        st.markdown(f"**Session {pid}** is of another database, or has just ended: {role}")
        return
    st.markdown(f"**A prepared transaction** {role}")
    st.code("SELECT gid, prepared, owner FROM pg_prepared_xacts;  -- then COMMIT PREPARED or ROLLBACK PREPARED", language="sql")


def _session(session: ServerSession, role: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        who = " · ".join(plain(part) for part in (session.application, session.user, session.client) if part)
        st.markdown(f"**{session.pid}** · {who or 'nothing is known of it'}", width="content")
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            if role:
                st.badge(role, color="red", width="content")
            word, colour = _state(session)
            st.badge(word, color=colour, width="content")
            _end(session)
    if session.query:
        text = " ".join(session.query.split())
        cut = " …" if len(text) > QUERY_CHARACTERS else ""
        st.code(f"{text[:QUERY_CHARACTERS]}{cut}", language="sql", wrap_lines=True)
    parts = (
        f"waits for {plain(session.waits_for)}" if session.waits_for and session.blocked_by else "",
        "the last statement of its transaction, which is over" if session.idle_in_transaction else "",
        f"transaction open for {_ago(session.transaction_seconds)}" if session.transaction_seconds is not None else "",
    )
    st.caption(" · ".join(part for part in parts if part))


def _state(session: ServerSession) -> tuple[str, Colour]:
    if session.blocked_by:
        return f"waits {_ago(session.waiting_seconds)}", "orange"
    colour: Colour = "orange" if session.idle_in_transaction else "blue" if session.state == "active" else "gray"
    return f"{session.state or 'hidden'} {_ago(session.state_seconds)}", colour


def _ago(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds) if seconds < 1 else span(timedelta(seconds=seconds))


def _end(session: ServerSession) -> None:
    """The end of its statement, or what a person can do where there is none to end."""
    operations = services().database_operations
    if session.idle_in_transaction:
        with st.popover("How to end it", icon=":material/help:", key=f"how-{session.pid}"):
            st.markdown(
                f"Session {session.pid} runs no statement, so there is none to cancel: it holds what its transaction took until"
                " its application commits, or is ended. Ask who runs it; else end the session in psql, with its transaction:"
            )
            st.code(terminate_command(session.pid), language="sql")
        return
    if not session.cancellable or session.own:
        return
    refusal = operations.refusal()
    with st.popover("Cancel", icon=":material/stop:", key=f"end-{session.pid}", disabled=bool(refusal), help=refusal or None):
        st.markdown(
            f"Ends the statement that session {session.pid} of **{plain(session.application or session.user)}** runs; its"
            " application gets an error, and its transaction is rolled back. Nothing is done if it has gone on meanwhile."
        )
        st.code(cancel_command(session.pid), language="sql")
        key = f"end-typed-{session.pid}"
        typed = st.text_input(f"Type {session.pid} to confirm", key=key, autocomplete="off")
        st.button(
            "Cancel this statement",
            key=f"end-now-{session.pid}",
            type="primary",
            disabled=typed.strip() != str(session.pid),
            on_click=_cancel,
            args=(session, key),
        )


def _cancel(session: ServerSession, key: str) -> None:
    typed = str(st.session_state.get(key, ""))
    done = f"The statement of session {session.pid} was ended; Activity has the record."
    if act(lambda: services().database_operations.cancel(session, typed=typed, operator=operator()), said=done):
        st.session_state.pop(key, None)


def _all(found: ServerSessions, age_seconds: float) -> None:
    clients = [session for session in found.sessions if not session.own]
    st.subheader("Sessions", anchor=False)
    if not clients:
        st.info("Nobody else is connected to this database.", icon=":material/person_off:")
        return
    rows = [_row(session) for session in clients]
    key = "sessions-table"
    st.dataframe(rows, key=key, hide_index=True, column_config=COLUMNS, placeholder="")
    st.caption(f"{len(clients):,} sessions and workers of this database, {MOST:,} at most · {age_seconds:.0f} s old")
    active = [session for session in clients if session.cancellable and not session.blocked_by]
    if active:
        st.markdown("Running now")
    for session in active:
        with st.container(border=True, gap="small"):
            _session(session, "")


def _row(session: ServerSession) -> dict[str, Any]:
    return {
        "No.": session.pid,
        "State": session.state or ("hidden" if session.query else session.backend_type),
        "For": _ago(session.state_seconds),
        "Transaction": _ago(session.transaction_seconds),
        "Application": session.application or session.backend_type,
        "User": session.user,
        "Waits for": session.waits_for or session.wait,
        "Statement": " ".join(session.query.split())[:QUERY_CHARACTERS],
    }
