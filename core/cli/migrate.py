"""`python -m core migrate`: the platform's performance indexes: what is there, whether one can be built; build, take back.

`status`, `preflight`, `sql` and `verify` change nothing. Beside the usual exit codes `preflight` and `verify` end with 1 when
an answer is not GO, or when the record disagrees with what is there.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from core.cli.alone import watched_database
from core.cli.operator import operator
from core.cli.running import run_operation
from core.database.indexes.catalog import SetIndex
from core.database.indexes.preflight import Preflight
from core.errors import UsageError
from core.operations import Started, Work
from core.platform.indexes import IndexOperations
from core.services import Services, build_services
from core.settings import Settings
from core.target import require_target

JSON_HELP = "one JSON object on stdout; progress on stderr"


def add_parser(commands: Any) -> None:
    """Register the command and what it can do."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "migrate", help="performance indexes: status, preflight, up, down, sql, verify, adopt"
    )
    actions = parser.add_subparsers(required=True, metavar="action")
    looks = {
        "status": (_status, "every index of the set with its true state"),
        "verify": (_verify, "whether the record says what is there"),
    }
    for name, (action, text) in looks.items():
        _names(actions.add_parser(name, help=text)).set_defaults(run=_look(action))
    preflight = _names(actions.add_parser("preflight", help="whether an index can be built now: GO, WAIT or NO, and why"))
    preflight.add_argument("--sql", metavar="STATEMENT", help="a CREATE INDEX of your own; - reads it from standard input")
    preflight.add_argument("--file", type=Path, help="a file with one CREATE INDEX")
    preflight.set_defaults(run=_look(_preflight))
    sql = _names(actions.add_parser("sql", help="the exact statements"))
    sql.add_argument("--down", action="store_true", help="those that take the indexes back")
    sql.set_defaults(run=_sql)
    runs = {"up": "build", "down": "drop", "adopt": "bring the record in line with what is there"}
    for name, text in runs.items():
        one = _names(actions.add_parser(name, help=f"{text}; without names only with --all"))
        one.add_argument("--all", action="store_true", help="every index of the set")
        one.add_argument("--target", metavar="NAME", help="the target's name, typed to allow one that is not embedded")
        one.set_defaults(run=_change(name))


def _names(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("names", nargs="*", metavar="INDEX", help="names of the set; all where none is given")
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    return parser


def _look(
    action: Callable[[IndexOperations, argparse.Namespace], Coroutine[Any, Any, int]],
) -> Callable[[argparse.Namespace], int]:
    async def on_database(options: argparse.Namespace) -> int:
        async with watched_database() as services:
            return await action(services.indexes, options)

    return lambda options: asyncio.run(on_database(options))


async def _status(indexes: IndexOperations, options: argparse.Namespace) -> int:
    found = await _chosen(indexes, options)
    _answer(options, {"items": [_told(one) for one in found]}, _table(found))
    return 0


async def _verify(indexes: IndexOperations, options: argparse.Namespace) -> int:
    found = await _chosen(indexes, options)
    wrong = [one for one in found if not one.agrees or one.state.state in ("invalid", "different")]
    data = {"agrees": not wrong, "items": [_told(one) for one in wrong]}
    lines = [
        f"{one.notes.name}: {one.state.state}, {'on' if one.stamped else 'not on'} record. {_advice(one)}\n" for one in wrong
    ]
    _answer(options, data, "".join(lines) or f"The record says what is there, for {len(found)} indexes.\n", ok=not wrong)
    return 1 if wrong else 0


async def _preflight(indexes: IndexOperations, options: argparse.Namespace) -> int:
    found = [await indexes.preflight(one) for one in _asked(indexes, options)]
    ok = all(one.verdict == "GO" for one in found)
    _answer(options, {"items": [asdict(one) for one in found]}, "\n".join(_judged(one) for one in found), ok=ok)
    return 0 if ok else 1


def _asked(indexes: IndexOperations, options: argparse.Namespace) -> list[str]:
    """Names of the set, or the one statement that was given."""
    if options.sql and options.file:
        raise UsageError("Both --sql and --file were given.", "Give one of them.")
    if options.file:
        try:
            return [f"{options.file.read_text(encoding='utf-8')} "]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{options.file} cannot be read: {error}", "Name a text file.") from None
    if options.sql:
        return [f"{sys.stdin.read() if options.sql == '-' else options.sql} "]
    return [one.name for one in indexes.notes(options.names)]


def _sql(options: argparse.Namespace) -> int:
    chosen = build_services(Settings.from_env(), console=False).indexes.notes(options.names)
    statements = [one.take_back if options.down else one.create_statement for one in chosen]
    _answer(options, {"statements": statements}, "".join(f"{statement};\n" for statement in statements))
    return 0


def _change(name: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        require_target(Settings.from_env(), options.target)
        if bool(options.names) == options.all:
            raise UsageError("Which indexes?", f"Name them, or say --all: python -m core migrate {name} --all")

        async def start(services: Services, wrap: Callable[[Work], Work]) -> Started:
            indexes = services.indexes
            starts = {"up": indexes.start_up, "down": indexes.start_down, "adopt": indexes.start_adopt}
            return await starts[name](options.names, operator=operator(), typed=options.target, wrap=wrap)

        result = run_operation(start)
        _answer(options, result, "".join(_outcome(one) for one in result["indexes"]))
        return 0

    return run


async def _chosen(indexes: IndexOperations, options: argparse.Namespace) -> list[SetIndex]:
    names = {one.name for one in indexes.notes(options.names)}
    return [one for one in await indexes.status() if one.notes.name in names]


def _answer(options: argparse.Namespace, data: Any, text: str, *, ok: bool = True) -> None:
    error = None if ok else {"message": "Not everything is as it should be.", "next_step": "Read the items."}
    body = orjson.dumps({"ok": ok, "data": data, "error": error}).decode() + "\n"
    sys.stdout.write(body if options.json else text)


def _told(one: SetIndex) -> dict[str, Any]:
    """One index as JSON tells it."""
    sql = {"create_statement": one.notes.create_statement, "take_back": one.notes.take_back}
    facts = {"stamped": one.stamped, "agrees": one.agrees, "size_bytes": one.size_bytes, "scans": one.scans}
    more = {"last_scan_at": one.last_scan_at, "same_as": one.same_as}
    return {**asdict(one.notes), **sql, **asdict(one.state), **facts, **more}


def _advice(one: SetIndex) -> str:
    command = f"python -m core migrate adopt {one.notes.name}"
    return one.state.next_step if one.agrees else f"Bring the record in line: {command}"


def _table(found: Sequence[SetIndex]) -> str:
    rows: list[tuple[str, ...]] = [("INDEX", "STATE", "ON RECORD", "SIZE", "SCANS", "SERVES")]
    for one in found:
        size = f"{one.size_bytes / 1e6:.1f} MB" if one.size_bytes is not None else "-"
        scans = "-" if one.scans is None else f"{one.scans:,}"
        record = "yes" if one.stamped else "no"
        rows.append((one.notes.name, one.state.state, record, size, scans, ", ".join(one.notes.serves)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[-1]]) + "\n" for row in rows]
    odd = [one for one in found if one.state.state in ("invalid", "different", "building")]
    lines += [f"{one.notes.name}: {one.state.detail} {one.state.next_step}\n" for one in odd]
    return "".join(lines)


def _judged(one: Preflight) -> str:
    lines = [f"{one.verdict}  {one.index or one.statement}"]
    for reason in one.reasons:
        lines.append(f"  {'note' if reason.weight == 'GO' else reason.weight}: {reason.text}")
        lines += [f"    {reason.next_step}"] if reason.next_step else []
    if (cost := one.cost) is not None and cost.size_bytes is not None and cost.seconds is not None:
        parts = f"{cost.entries:,} of {cost.rows:,} rows, about {cost.size_bytes / 1e6:,.1f} MB"
        sort = f", {cost.sort_bytes / 1e6:,.1f} MB of sort files" if cost.sort_bytes else ""
        lines.append(f"  {parts}, {(cost.wal_bytes or 0) / 1e6:,.1f} MB of log{sort}, about {cost.seconds:,.0f} s on two cores")
    return "\n".join(lines) + "\n"


def _outcome(one: dict[str, Any]) -> str:
    size = f", {one['size_bytes'] / 1e6:.1f} MB" if one["size_bytes"] else ""
    return f"{one['index']}: {one['action']} in {one['seconds']:.1f} s{size}. {one['record']}".strip() + "\n"
