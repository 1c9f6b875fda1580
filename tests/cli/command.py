"""Command: `python -m core ...` as a process of its own, on the database of one test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from core.settings import Settings
from tests.console_process import ROOT


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> dict[str, Any]:
        """The one JSON object of --json."""
        return json.loads(self.out)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables; every other one is unset."""
    unset = {item.name.upper(): "" for item in fields(Settings)}
    names = (
        "database_url",
        "console_database_url",
        "redis_url",
        "cache_prefix",
        "mode",
        "data_dir",
        "environment",
        "cache_warm_plans",
    )
    given = {name.upper(): str(value) for name in names if (value := getattr(settings, name)) is not None}
    return {**os.environ, **unset, **given}


@contextmanager
def started(settings: Settings, arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A command that runs; what is left of it at the end of the block is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "core", *arguments], cwd=ROOT, env=environment(settings), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], timeout_seconds: float = 60) -> Ended:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=timeout_seconds)
    return Ended(process.returncode, out, err)


def run(settings: Settings, *arguments: str) -> Ended:
    """Run a command to its end."""
    with started(settings, arguments) as process:
        return ended(process)
