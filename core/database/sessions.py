"""Sessions: who is connected to the watched database, who waits for whom, and the end of one statement.

Owns the tree of waiting. Refuses to cancel what is not the very statement of a client that somebody looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from core.database.failures import translated
from core.database.queries import Queries
from core.errors import OperationError

if TYPE_CHECKING:
    from core.database.pool import Database
    from core.ports import Rows

GRANT_READ = "GRANT pg_read_all_stats TO {user};"
GRANT_SIGNAL = "GRANT pg_signal_backend TO {user};"
CLIENT = "client backend"
IDLE_IN_TRANSACTION = ("idle in transaction", "idle in transaction (aborted)")
PREPARED = 0  # The number under which PostgreSQL shows a prepared transaction, which has no session.


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSession:
    """One session; times in UTC, seconds since then. What this role may not see is empty or None."""

    pid: int
    backend_type: str
    user: str
    application: str
    client: str
    state: str
    query: str
    backend_start: datetime | None
    query_start: datetime | None
    transaction_seconds: float | None
    state_seconds: float | None
    wait: str
    waits_for: str
    waiting_seconds: float | None
    blocked_by: tuple[int, ...]
    own: bool

    @property
    def cancellable(self) -> bool:
        """Whether it is a client's and runs a statement that could be ended."""
        return self.backend_type == CLIENT and self.state == "active" and self.query_start is not None

    @property
    def idle_in_transaction(self) -> bool:
        """Whether it runs nothing and still holds what its transaction took."""
        return self.state in IDLE_IN_TRANSACTION


@dataclass(frozen=True, slots=True)
class Waiting:
    """One session and those that wait for it; `session` None: a prepared transaction, or one that is not to be seen."""

    pid: int
    session: ServerSession | None
    waiters: tuple[Waiting, ...]

    def below(self) -> Iterator[Waiting]:
        """Everybody who waits for it, directly or not."""
        for waiter in self.waiters:
            yield waiter
            yield from waiter.below()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSessions:
    """All sessions of the database; `hidden` of them show nothing to this role, `user`."""

    sessions: tuple[ServerSession, ...]
    trees: tuple[Waiting, ...]
    hidden: int
    user: str
    may_read: bool

    @property
    def blocked(self) -> tuple[ServerSession, ...]:
        """Those that wait for another session's lock, the longest wait first."""
        found = [session for session in self.sessions if session.blocked_by]
        return tuple(sorted(found, key=lambda session: -(session.waiting_seconds or 0.0)))


async def read_sessions(rows: Rows) -> ServerSessions:
    """The sessions now; raises DependencyError, QueryError."""
    found = await rows.fetch_all("sessions")
    rights = await rows.fetch_one("session_rights")
    sessions = tuple(_session(row) for row in found)
    return ServerSessions(
        sessions=sessions,
        trees=waiting_trees(sessions),
        hidden=sum(session.query == "<insufficient privilege>" for session in sessions),
        user=rights["user_name"] if rights else "",
        may_read=bool(rights and rights["may_read"]),
    )


def waiting_trees(sessions: Sequence[ServerSession]) -> tuple[Waiting, ...]:
    """One tree for each session that keeps others waiting and waits for nobody; each waiter stands once in a tree.

    In a deadlock nobody is such: then the one that waits longest stands on top.
    """
    known = {session.pid: session for session in sessions}
    blocked = {session.pid: set(session.blocked_by) for session in sessions if session.blocked_by}
    holders = {pid for pids in blocked.values() for pid in pids}
    roots = sorted(holders - blocked.keys())
    placed: set[int] = set()

    def tree(pid: int, above: frozenset[int]) -> Waiting:
        placed.add(pid)
        direct = [item for item, by in blocked.items() if pid in by and item not in above | {pid}]
        # Who waits for the same lock further behind waits for those in front of it, too: it stands under the last of them.
        last = [item for item in direct if not blocked[item] & set(direct)] or direct
        return Waiting(pid, known.get(pid), tuple(tree(item, above | {pid}) for item in sorted(last)))

    trees = [tree(pid, frozenset()) for pid in roots]
    while left := [pid for pid in blocked if pid not in placed]:
        trees.append(tree(max(left, key=lambda pid: known[pid].waiting_seconds or 0.0), frozenset()))
    return tuple(sorted(trees, key=lambda item: -_longest(item)))


def cancel_command(pid: int) -> str:
    """What ends the statement of a session."""
    return f"SELECT pg_cancel_backend({pid});"


def terminate_command(pid: int) -> str:
    """What ends a session with its transaction."""
    return f"SELECT pg_terminate_backend({pid});"


async def cancel_statement(database: Database, queries: Queries, session: ServerSession, application: str) -> None:
    """End the statement that this session runs, if it still runs it; raises OperationError, DependencyError."""
    sql = queries["cancel_session"].sql
    found = await _signal(database, session, application, sql, session.pid, session.backend_start, session.query_start)
    if found is None or not found["cancelled"]:
        raise OperationError(
            f"Session {session.pid} no longer runs the statement that was shown; nothing was cancelled.", "Look again."
        )


async def end_idle_session(
    database: Database, queries: Queries, session: ServerSession, idle_seconds: float, application: str
) -> bool:
    """End this session with its transaction; False: it has gone on meanwhile. Raises OperationError, DependencyError."""
    sql = queries["end_idle_session"].sql
    found = await _signal(database, session, application, sql, session.pid, session.backend_start, idle_seconds)
    return bool(found and found["ended"])


async def _signal(
    database: Database, session: ServerSession, application: str, sql: str, *arguments: object
) -> asyncpg.Record | None:
    """Run a statement that ends something of another session, past the pool."""
    connection = await database.connect(application_name=application)
    try:
        with translated():
            return await connection.fetchrow(sql, *arguments)
    except Exception as error:
        if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            grant = GRANT_SIGNAL.format(user=await _role(connection))
            raise OperationError(
                f"This role may not end statements of {session.user or 'another role'}.", f"Run as a superuser: {grant}"
            ) from error
        raise
    finally:
        connection.terminate()


async def _role(connection: asyncpg.Connection[asyncpg.Record]) -> str:
    return str(await connection.fetchval("SELECT quote_ident(current_user)"))


def _longest(tree: Waiting) -> float:
    return max((waiter.session.waiting_seconds or 0.0 for waiter in tree.below() if waiter.session), default=0.0)


def _session(row: asyncpg.Record) -> ServerSession:
    return ServerSession(
        pid=row["pid"],
        backend_type=row["backend_type"] or "",
        user=row["user_name"] or "",
        application=row["application_name"] or "",
        client=row["client"] or "",
        state=row["state"] or "",
        query=row["query"] or "",
        backend_start=row["backend_start"],
        query_start=row["query_start"],
        transaction_seconds=row["transaction_seconds"],
        state_seconds=row["state_seconds"],
        wait=row["wait"] or "",
        waits_for=row["waits_for"] or "",
        waiting_seconds=row["waiting_seconds"],
        blocked_by=tuple(dict.fromkeys(row["blocked_by"] or ())),
        own=row["own"],
    )
