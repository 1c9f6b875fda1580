"""`python -m core operations`: what runs and what ran, in whatever process; watch one, hold one, cancel one.

Exit code of `watch`: 0 when the operation is done, 1 when it failed or was interrupted, 130 when it was cancelled. Ctrl-C ends
the watching and not the operation.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from datetime import UTC, timedelta
from typing import Any, get_args

import orjson

from core.cli.alone import console_store
from core.cli.operator import operator
from core.database.indexes.progress import share_of
from core.errors import DependencyError, OperationError
from core.operations import Operation, Operations, State

EXIT_CODES = {"running": 0, "done": 0, "failed": 1, "interrupted": 1, "cancelled": 130}
WATCH_SECONDS = 1.0
DEFAULT_LIMIT = 30


def add_parser(commands: Any) -> None:
    """Register the command and what it can do."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "operations", help="what runs and what ran: list, show, watch, pause, resume, cancel"
    )
    parser.set_defaults(run=_run(_list), limit=DEFAULT_LIMIT, kind=None, state=None, operator=None, before=None)
    _add_json(parser, default=False)
    actions = parser.add_subparsers(metavar="action")
    listing = actions.add_parser("list", help="operations, newest first (the default)")
    listing.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help=f"at most so many (default {DEFAULT_LIMIT})")
    listing.add_argument("--kind", help="only this kind: import, generate, load, ...")
    listing.add_argument("--state", choices=get_args(State), help="only those in this state")
    listing.add_argument("--operator", help="only those that this operator started")
    listing.add_argument("--before", type=int, metavar="ID", help="only those older than this one")
    listing.set_defaults(run=_run(_list))
    texts = {
        _show: "everything about one", _watch: "follow one to its end", _cancel: "ask one to end, whoever runs it",
        _pause: "hold one at its next step, if it can be held", _resume: "let a held one go on",
    }  # fmt: skip
    parsers = [listing]
    for action, text in texts.items():
        parsers.append(one := actions.add_parser(action.__name__.strip("_"), help=text))
        one.add_argument("id", type=int, help="its number in the list")
        one.set_defaults(run=_run(action))
    for one in parsers:
        _add_json(one, default=argparse.SUPPRESS)


def progress_line(operation: Operation) -> str:
    """One line for a terminal: state, how far, how fast, how long still."""
    share = share_of(operation.what)
    parts = [f"{operation.id} {operation.state}", share or operation.what]
    if share and operation.total:
        parts.append(f"{operation.done / operation.total:.0%}")
    elif operation.total > 0:
        parts.append(f"{operation.done:,} of {operation.total:,} ({operation.done / operation.total:.0%})")
    elif operation.done:
        parts.append(f"{operation.done:,}")
    if operation.running and operation.rate_per_second is not None and not share:
        parts.append(f"{operation.rate_per_second:,.0f}/s")
    if operation.eta_seconds is not None:
        parts.append(f"{_length(operation.eta_seconds)} left")
    if operation.paused_by:
        parts.append(f"paused by {operation.paused_by}")
    return _printable("  ".join(part for part in parts if part))


def told(operation: Operation) -> dict[str, Any]:
    """The operation as JSON tells it."""
    more = {"eta_seconds": operation.eta_seconds, "duration_seconds": operation.duration_seconds}
    return {**asdict(operation), **more}


def _add_json(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument("--json", action="store_true", default=default, help="one JSON object on stdout; progress on stderr")


def _run(
    action: Callable[[Operations, argparse.Namespace], Coroutine[Any, Any, int]],
) -> Callable[[argparse.Namespace], int]:
    async def on_store(options: argparse.Namespace) -> int:
        async with console_store() as services:
            return await action(services.operations, options)

    return lambda options: asyncio.run(on_store(options))


async def _list(operations: Operations, options: argparse.Namespace) -> int:
    found = await operations.list(
        limit=options.limit,
        kind=options.kind,
        state=options.state,
        operator=options.operator,
        before_id=options.before,
    )
    if options.json:
        _write({"items": [told(operation) for operation in found]})
    else:
        sys.stdout.write(_table(found))
    return 0


async def _show(operations: Operations, options: argparse.Namespace) -> int:
    operation = await operations.get(options.id)
    if options.json:
        _write(told(operation))
    else:
        sys.stdout.write(_details(operation))
    return 0


async def _watch(operations: Operations, options: argparse.Namespace) -> int:
    over = asyncio.create_task(operations.wait(options.id))
    last = ""
    try:
        while not (await asyncio.wait([over], timeout=WATCH_SECONDS))[0]:
            last = await _say_progress(operations, options, last)
    finally:
        over.cancel()
    operation = over.result()
    error = None
    if operation.state != "done":
        error = OperationError(f"{operation.title}: {operation.state}. {operation.error}".strip(), operation.next_step or "-")
    if options.json:
        _write(told(operation), error)
    else:
        sys.stdout.write(_details(operation))
    return EXIT_CODES[operation.state]


async def _say_progress(operations: Operations, options: argparse.Namespace, last: str) -> str:
    try:
        operation = await operations.get(options.id)
    except DependencyError as error:
        sys.stderr.write(f"{error}\n")
        return last
    line = orjson.dumps(told(operation)).decode() if options.json else progress_line(operation)
    if line != last:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    return line


async def _cancel(operations: Operations, options: argparse.Namespace) -> int:
    operation = await operations.cancel(options.id, operator())
    if options.json:
        _write(told(operation))
    else:
        sys.stdout.write(f"{operation.title}: {operation.cancelled_by} asked it to end. Follow it: ")
        sys.stdout.write(f"python -m core operations watch {operation.id}\n")
    return 0


async def _pause(operations: Operations, options: argparse.Namespace) -> int:
    held = await operations.pause(options.id, operator())
    line = f"python -m core operations resume {held.id}"
    return _held(options, held, f"{held.title}: held at its next step. Let it go on: {line}")


async def _resume(operations: Operations, options: argparse.Namespace) -> int:
    resumed = await operations.resume(options.id)
    return _held(options, resumed, f"{resumed.title}: goes on.")


def _held(options: argparse.Namespace, operation: Operation, text: str) -> int:
    if options.json:
        _write(told(operation))
    else:
        sys.stdout.write(_printable(text) + "\n")
    return 0


def _write(data: object, error: OperationError | None = None) -> None:
    said = {"message": str(error), "next_step": error.next_step} if error else None
    sys.stdout.write(orjson.dumps({"ok": error is None, "data": data, "error": said}).decode() + "\n")


def _table(operations: Sequence[Operation]) -> str:
    if not operations:
        return "No operation was found.\n"
    rows: list[tuple[str, ...]] = [("ID", "STATE", "KIND", "STARTED (UTC)", "TOOK", "OPERATOR", "TITLE")]
    for item in operations:
        started = f"{item.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        words = (str(item.id), item.state, item.kind, started, _length(item.duration_seconds), item.operator, item.title)
        rows.append(tuple(_printable(word) for word in words))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "".join("  ".join([*map(str.ljust, row, widths), row[-1]]) + "\n" for row in rows)


def _details(operation: Operation) -> str:
    lines = [
        f"{operation.title}", progress_line(operation),
        f"by {operation.operator}, in process {operation.pid} on {operation.host}",
        f"started {operation.started_at:%Y-%m-%d %H:%M:%S} UTC, took {_length(operation.duration_seconds)}",
        f"cancelled by {operation.cancelled_by}" if operation.cancelled_by else "",
        operation.error, f"Next: {operation.next_step}" if operation.next_step else "",
        f"parameters {orjson.dumps(operation.parameters).decode()}" if operation.parameters else "",
        f"result {orjson.dumps(operation.result).decode()}" if operation.result else "",
        *(f"  {line}" for command in operation.commands for line in command.splitlines()),
    ]  # fmt: skip
    return "".join(_printable(line) + "\n" for line in lines if line)


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _printable(text: str) -> str:
    """Without control characters: a title must not steer the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
