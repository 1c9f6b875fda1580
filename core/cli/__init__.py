"""The command line: one file for each command; exit codes 0 done, 1 failed, 2 usage, 3 a dependency is down, 130 cancelled."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import orjson

from core import __version__
from core.cli import analyze, ask, console, db, generate, import_, load, mark, migrate, operations, serve, status, warm
from core.errors import (
    ClaudeDown,
    ClaudeError,
    ClaudeOverloaded,
    ClaudeTimeout,
    CoreError,
    DependencyError,
    SettingsError,
    UsageError,
)

COMMANDS = (analyze, ask, console, db, generate, import_, load, mark, migrate, operations, serve, status, warm)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors are one sentence and what to do, on stderr, or one JSON object with --json."""
    parser = argparse.ArgumentParser(prog="python -m core", description="The performance layer of the lead platform.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for module in COMMANDS:
        module.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except CoreError as error:
        return _failed(error, as_json=getattr(options, "json", False))


def _failed(error: CoreError, *, as_json: bool) -> int:
    if as_json:
        kind = {"kind": error.kind} if isinstance(error, ClaudeError) else {}
        told = {"message": str(error), "next_step": error.next_step, **kind}
        sys.stdout.write(orjson.dumps({"ok": False, "data": None, "error": told}).decode() + "\n")
    sys.stderr.write(f"{error}\n{error.next_step}\n")
    if isinstance(error, SettingsError | UsageError):
        return 2
    return 3 if isinstance(error, DependencyError | ClaudeDown | ClaudeOverloaded | ClaudeTimeout) else 1
