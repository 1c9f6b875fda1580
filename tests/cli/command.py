"""Command: `python -m core ...` as a process of its own, on the database of one test."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from core.cli import main
from core.settings import Settings
from tests.console_process import ROOT

TIMEOUT_SECONDS = 60.0


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
    names = (
        "database_url",
        "console_database_url",
        "redis_url",
        "cache_prefix",
        "mode",
        "data_dir",
        "environment",
        "cache_warm_plans",
        "claude_budget_day_usd",
        "rehearsal_first_token_seconds",
        "rehearsal_tokens_per_second",
        "rehearsal_faults",
    )
    return variables(**{name: str(value) for name in names if (value := getattr(settings, name)) is not None})


def variables(**given: str) -> dict[str, str]:
    """These settings as variables; every other one is unset."""
    unset = {item.name.upper(): "" for item in fields(Settings)}
    return {**os.environ, **unset, **{name.upper(): value for name, value in given.items()}}


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


def ended(process: subprocess.Popen[str], timeout_seconds: float = TIMEOUT_SECONDS) -> Ended:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=timeout_seconds)
    return Ended(process.returncode, out, err)


def run(settings: Settings, *arguments: str) -> Ended:
    """Run a command to its end."""
    return run_with(environment(settings), *arguments)


def run_with(environ: Mapping[str, str], *arguments: str) -> Ended:
    """Run a command to its end: a process forked from one that has imported it already, which takes a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=_main, args=(dict(environ), arguments, folder))
        process.start()
        process.join(TIMEOUT_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        assert process.exitcode is not None
        # The code may not be importable just now, as while another hand edits it; the worker's stderr has the traceback.
        assert (Path(folder) / "err").exists(), f"{arguments} ended with {process.exitcode} before it began."
        out, err = ((Path(folder) / name).read_text(encoding="utf-8") for name in ("out", "err"))
        result = Ended(process.exitcode, out, err)
        process.close()
    assert result.code != -signal.SIGKILL, f"{arguments} did not end within {TIMEOUT_SECONDS:g} s:\n{err}"
    return result


def _main(environ: Mapping[str, str], arguments: Sequence[str], folder: str) -> None:
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environ)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    raise SystemExit(main(arguments))
