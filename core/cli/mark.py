"""`python -m core mark`: put a mark on the timeline of the charts, straight into the console's store.

For a pipeline without HTTP; `POST /api/marks` does the same. While the store is away nothing is kept: exit code 3.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from core.cli.alone import console_store
from core.cli.operator import operator
from core.monitor.marks.mark import KEPT_KINDS, moment_of

if TYPE_CHECKING:
    from core.monitor.marks.marks import Added


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("mark", help="put a mark on the timeline: a deploy, a change, a note")
    parser.add_argument("text", help="what happened, in one line")
    parser.add_argument("--kind", choices=KEPT_KINDS, default="note")
    parser.add_argument("--at", metavar="MOMENT", help="of the last 14 days, as 2026-05-01T12:00:00Z (default: now)")
    parser.add_argument("--link", default="", help="where more is said: https://... or a path of the console")
    parser.add_argument("--who", help="whose doing it is (default: you)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Mark; 0 done, 1 failed, 2 usage, 3 the store is down."""
    at = None if options.at is None else moment_of(options.at)
    added = asyncio.run(_add(options, at))
    if options.json:
        data = {**asdict(added.mark), "stored": added.stored}
        sys.stdout.write(orjson.dumps({"ok": True, "data": data, "error": None}).decode() + "\n")
    else:
        done = "Marked" if added.stored == "new" else "Marked already"
        sys.stdout.write(f"{done} at {datetime.fromtimestamp(added.mark.at, UTC):%Y-%m-%d %H:%M:%S} UTC: {added.mark.text}\n")
    return 0


async def _add(options: argparse.Namespace, at: datetime | None) -> Added:
    async with console_store() as services:
        return await services.marks.add(options.kind, options.text, who=options.who or operator(), at=at, link=options.link)
