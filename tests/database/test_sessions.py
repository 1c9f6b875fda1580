"""Sessions: who waits for whom as trees, rights, the guarded end of a statement; and what all programs asked."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from core.database.queries import Queries
from core.database.server_statements import ServerStatements
from core.database.sessions import ServerSession, cancel_statement, read_sessions, waiting_trees
from core.errors import OperationError
from tests.database.blocked import HOLDER, blocked
from tests.database.conftest import Opened
from tests.servers import execute
from tests.support import wait_until

APPLICATION = "cancel of the test"


def _session(pid: int, *blocked_by: int, seconds: float = 1.0) -> ServerSession:
    return ServerSession(
        pid=pid, backend_type="client backend", user="u", application="a", client="", state="active", query="SELECT 1",
        backend_start=None, query_start=None, transaction_seconds=1.0, state_seconds=1.0, wait="", waits_for="x",
        waiting_seconds=seconds if blocked_by else None, blocked_by=blocked_by, own=False,
    )  # fmt: skip


def _shape(sessions: list[ServerSession]) -> list[object]:
    def shape(tree: object) -> object:
        return (tree.pid, [shape(waiter) for waiter in tree.waiters])

    return [shape(tree) for tree in waiting_trees(sessions)]


def test_trees() -> None:
    """A queue is a chain, two holders are two trees with the longer wait first, and nobody is lost."""
    assert _shape([_session(1), _session(2, 1), _session(3, 1, 2), _session(4, 1, 2, 3)]) == [(1, [(2, [(3, [(4, [])])])])]
    assert _shape([_session(1), _session(2, 1), _session(3), _session(4, 3, seconds=9)]) == [(3, [(4, [])]), (1, [(2, [])])]
    assert _shape([_session(5, 0)]) == [(0, [(5, [])])]


def test_a_deadlock_has_an_end() -> None:
    """Two that wait for each other: the one that waits longest stands on top, once."""
    assert _shape([_session(1, 2), _session(2, 1, seconds=5)]) == [(2, [(1, [])])]


async def test_a_real_wait_and_its_end(database_url: str, opened: Opened) -> None:
    """Seen with what for and since when; ended once, and not again when it has gone on, nor where nothing runs."""
    database, queries = await opened(database_url), Queries()
    with blocked(database_url) as scene:
        found = await read_sessions(database)
        (tree,) = found.trees
        waiter, holder = tree.waiters[0].session, tree.session
        assert holder is not None
        assert waiter is not None
        assert (tree.pid, waiter.pid, waiter.waits_for) == (scene.holder, scene.waiter, "AccessShareLock of leads")
        assert (holder.application, holder.idle_in_transaction, holder.cancellable) == (HOLDER, True, False)
        other = replace(waiter, query_start=waiter.backend_start)
        for refused in (holder, other):
            with pytest.raises(OperationError, match="nothing was cancelled"):
                await cancel_statement(database, queries, refused, APPLICATION)
        await cancel_statement(database, queries, waiter, APPLICATION)
        wait_until(scene.over.is_set)
        assert [type(error) for error in scene.errors] == [asyncpg.QueryCanceledError]
        with pytest.raises(OperationError):
            await cancel_statement(database, queries, waiter, APPLICATION)


async def test_a_role_without_rights(database_url: str, opened: Opened) -> None:
    """What it may not see is counted; what it sees and may not end names the GRANT that helps."""
    for role in ("small", "reader"):
        execute(database_url, f"DO $$BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    execute(database_url, "GRANT pg_read_all_stats TO reader")
    small, reader = [await opened(database_url.replace("//platform@", f"//{role}@")) for role in ("small", "reader")]
    with blocked(database_url) as scene:
        hidden, seen = await read_sessions(small), await read_sessions(reader)
        assert (hidden.may_read, hidden.user, hidden.hidden >= 2) == (False, "small", True)
        assert (seen.may_read, seen.hidden) == (True, 0)
        waiter = next(session for session in seen.sessions if session.pid == scene.waiter)
        with pytest.raises(OperationError) as refused:
            await cancel_statement(reader, Queries(), waiter, APPLICATION)
        assert "GRANT pg_signal_backend TO reader;" in refused.value.next_step
        assert scene.errors == []
    assert (await ServerStatements(small).look()).availability == "not_installed"


async def test_what_all_programs_asked(database_url: str, opened: Opened) -> None:
    """From the first look on, counts of this time alone; a reset begins anew."""
    execute(database_url, "CREATE EXTENSION pg_stat_statements")
    execute(database_url, "SELECT md5('long ago')")
    statements = ServerStatements(await opened(database_url))
    await statements.look()
    for _ in range(3):
        execute(database_url, "SELECT upper('asked now')")
    load = await statements.look()
    texts = {statement.text: statement.calls for statement in load.statements}
    assert next(calls for text, calls in texts.items() if "upper(" in text) == 3
    assert not any("md5(" in text for text in texts)
    assert load.since is not None
