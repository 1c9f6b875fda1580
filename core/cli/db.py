"""`python -m core db`: what takes PostgreSQL's time, which indexes there are, and who holds up whom; nothing is changed.

`slow` tells of all programs on the server, out of pg_stat_statements: means, since PostgreSQL keeps no percentiles. The P95 of
a running console are on its page Database and at `GET /metrics`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from core.cli.alone import watched_database
from core.database.server_statements import ServerLoad
from core.database.sessions import GRANT_READ, ServerSession, ServerSessions, Waiting
from core.errors import QueryError, UsageError
from core.services import Services

MOST_SECONDS = 600.0
TEXT_WIDTH = 90
Look = Callable[[Services, argparse.Namespace], Awaitable[int]]


def add_parser(commands: Any) -> None:
    """Register the command and what it can show."""
    parser: argparse.ArgumentParser = commands.add_parser("db", help="PostgreSQL: slow statements, indexes, blockers")
    actions = parser.add_subparsers(required=True, metavar="action")
    slow = _action(actions, "slow", _slow, "the statements that take most time, of all programs")
    slow.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="of the next seconds, not since the reset")
    slow.add_argument("--limit", type=int, default=10, help="how many; 10, at most 30")
    _action(actions, "indexes", _indexes, "every index of the platform's tables: size, scans, what does the same")
    _action(actions, "blockers", _blockers, "who waits for whom, since when and why")


def _action(actions: Any, name: str, look: Look, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=lambda options: asyncio.run(_looked(look, options)))
    return parser


async def _looked(look: Look, options: argparse.Namespace) -> int:
    async with watched_database() as services:
        return await look(services, options)


async def _slow(services: Services, options: argparse.Namespace) -> int:
    seconds = options.seconds
    if not 1 <= options.limit <= 30 or (seconds is not None and not 0 < seconds <= MOST_SECONDS):
        raise UsageError("A number is out of its bounds.", f"--limit is 1 to 30, --for up to {MOST_SECONDS:g} seconds.")
    statements = services.database_overview.statements
    load = await (statements.totals() if seconds is None else statements.look())
    if load.availability != "available":
        raise QueryError(f"What the server does cannot be told: pg_stat_statements is {_why(load)}.", load.next_step)
    if seconds is not None:
        await asyncio.sleep(seconds)
        load = await statements.look()
    shown = load.statements[: options.limit]
    data = {
        "since": load.since,
        "seconds": load.seconds,
        "items": [{**asdict(item), "mean_seconds": item.mean_seconds} for item in shown],
    }
    rows = [
        (f"{item.seconds:,.2f}", f"{item.seconds / (load.seconds or 1):.0%}", f"{item.calls:,}",
         f"{item.mean_seconds * 1000:,.3f}", f"{item.pages / item.calls:,.0f}", item.text[:TEXT_WIDTH])
        for item in shown
    ]  # fmt: skip
    since = f"Since {load.since:%Y-%m-%d %H:%M:%S} UTC, all programs; means, not P95.\n" if load.since else ""
    _answer(options, data, since + _table(("SECONDS", "SHARE", "CALLS", "MEAN MS", "PAGES", "STATEMENT"), rows))
    return 0


def _why(load: ServerLoad) -> str:
    return {"not_installed": "not installed", "not_loaded": "not loaded", "no_right": "hidden from this role"}.get(
        load.availability, "not there"
    )


async def _indexes(services: Services, options: argparse.Namespace) -> int:
    found = await services.indexes.found()
    rows = [
        (item.table, item.name, "valid" if item.valid else "building" if item.building else "INVALID",
         f"{item.size_bytes / 1e6:,.1f}", f"{item.scans:,}", ", ".join((*item.same_as, *item.covered_by)) or "-")
        for item in found
    ]  # fmt: skip
    text = _table(("TABLE", "INDEX", "STATE", "MB", "SCANS", "ALSO DONE BY"), rows)
    _answer(options, {"items": [asdict(item) for item in found]}, text)
    return 0


async def _blockers(services: Services, options: argparse.Namespace) -> int:
    found = await services.database_overview.sessions()
    data = {
        "waiting": len(found.blocked),
        "trees": [_told(tree) for tree in found.trees],
        "hidden": found.hidden,
        "may_read": found.may_read,
    }
    _answer(options, data, _trees(found))
    return 0


def _told(waiting: Waiting) -> dict[str, Any]:
    session = asdict(waiting.session) if waiting.session else None
    return {"pid": waiting.pid, "session": session, "waiters": [_told(waiter) for waiter in waiting.waiters]}


def _trees(found: ServerSessions) -> str:
    lines = [line for tree in found.trees for line in _lines(tree, 0)] or ["Nobody waits for a lock."]
    if not found.may_read:
        grant = GRANT_READ.format(user=found.user)
        lines.append(f"{found.hidden} sessions of other roles are hidden; a superuser shows them: {grant}")
    return "".join(f"{line}\n" for line in lines)


def _lines(waiting: Waiting, depth: int) -> list[str]:
    indent = f"{'   ' * (depth - 1)}└─ " if depth else ""
    session = waiting.session
    who = "a prepared transaction" if not waiting.pid else "of another database, or just ended"
    own = f"{indent}{waiting.pid}  {_session(session) if session else who}"
    return [own, *(line for waiter in waiting.waiters for line in _lines(waiter, depth + 1))]


def _session(session: ServerSession) -> str:
    state = f"{session.state} for {session.state_seconds or 0:,.0f} s"
    if session.blocked_by:
        state = f"waits {session.waiting_seconds or 0:,.0f} s for {session.waits_for}"
    text = " ".join(session.query.split())[:TEXT_WIDTH]
    return f"{session.application or '-'}  {session.user}  {state}  {text}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    return "".join("  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) + "\n" for row in (head, *rows))


def _answer(options: argparse.Namespace, data: Any, text: str) -> None:
    sys.stdout.write(orjson.dumps({"ok": True, "data": data, "error": None}).decode() + "\n" if options.json else text)
