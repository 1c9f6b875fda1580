"""`python -m core load` as an operator runs it: its exit codes, its JSON, and that it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.load.report import report_of
from tests.cli.command import run_with, variables
from tests.console_process import free_port
from tests.load.platform_server import PlatformServer
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
SHORT = ("--users", "40", "--think", "1", "--duration", "1.2")
LONG = ("--users", "40", "--think", "1", "--duration", "600")


@pytest.fixture
def server() -> Iterator[PlatformServer]:
    """A platform that answers."""
    with PlatformServer() as running:
        yield running


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "core", "load", *arguments]


def _run(*arguments: str, **settings: str) -> tuple[int, str, str]:
    ended = run_with(variables(**settings), "load", *arguments)
    return ended.code, ended.out, ended.err


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True
    )


def test_a_table_for_people(server: PlatformServer) -> None:
    """Progress on stderr each second; rate, law, routes, generator and verdict on stdout."""
    code, out, err = _run(*SHORT, "--url", server.url)

    assert code == 0, err
    assert "requests/s" in err
    assert all(word in out for word in ("N = X (R + Z)", "P95", "GET /api/leads/{id}", "of a core", "Verdict"))
    assert len(server.measured) > 20


def test_json_for_programs(server: PlatformServer) -> None:
    """One object on stdout, a JSON line for each second on stderr; the default target is the console of HOST and PORT."""
    code, out, err = _run(*SHORT, "--seed", "7", "--json", port=str(server.port))

    body = orjson.loads(out)
    report = report_of(body["data"])
    assert (code, body["ok"], body["error"]) == (0, True, None)
    assert report is not None
    assert (report.seed, report.users, report.url) == (7, 40, server.url)
    assert report.requests == len(server.measured)
    assert orjson.loads(err.splitlines()[0])["planned"] == report.planned


def test_same_seed_same_load() -> None:
    """Two processes ask the same, another seed asks something else."""
    with PlatformServer() as one, PlatformServer() as same, PlatformServer() as other:
        seeds = {one: "3", same: "3", other: "4"}
        for process in [_start(*SHORT, "--seed", seed, "--url", server.url) for server, seed in seeds.items()]:
            process.communicate(timeout=30)

    assert sorted(one.measured) == sorted(same.measured) != sorted(other.measured)


def test_too_many_errors_fail_it(server: PlatformServer) -> None:
    """More than 1 %: exit code 1, and the report is there all the same."""

    async def fail(_request: Request, measured: int) -> Response | None:
        return JSONResponse({}, 500) if measured > 0 and measured % 10 == 0 else None

    server.fault = fail
    code, out, err = _run(*SHORT, "--json", "--url", server.url)

    body = orjson.loads(out)
    assert (code, body["ok"]) == (1, False)
    assert body["data"]["errors"] == body["data"]["errors_by_kind"][0]["count"] > 0
    assert "of the requests failed" in body["error"]["message"]
    assert "http 500" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--users", "0", "--think", "1", "--duration", "1"),
        ("--users", "1", "--think", "nan", "--duration", "1"),
        ("--users", "2000", "--think", "0.1", "--duration", "3600"),
        (*SHORT, "--url", "nonsense"),
        (*SHORT, "--seed", "-1"),
    ],
)
def test_what_cannot_work_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    """Exit code 2 with one sentence and what to do, as JSON too."""
    code, out, _ = _run(*arguments, "--json")

    assert code == 2
    assert orjson.loads(out)["error"]["next_step"]


def test_an_argument_that_is_no_number_is_a_usage_error() -> None:
    """The parser's own words."""
    assert _run("--users", "many", "--think", "1", "--duration", "1")[0] == 2


def test_nobody_listens() -> None:
    """Exit code 3 and what to start."""
    code, _, err = _run(*SHORT, "--url", f"http://127.0.0.1:{free_port()}")

    assert code == 3
    assert "python -m core serve" in err


def test_another_machine_is_refused() -> None:
    """Nothing is connected: the name was not typed."""
    code, _, err = _run(*SHORT, "--url", "http://api.example")

    assert code == 1
    assert "Type its name to allow it: api.example" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_report(server: PlatformServer, number: signal.Signals) -> None:
    """Exit code 130, and the figures of the part that ran."""
    process = _start(*LONG, "--json", "--url", server.url)
    wait_until(lambda: len(server.measured) > 30, 30)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)

    body: dict[str, Any] = orjson.loads(out)
    assert (process.returncode, body["ok"]) == (130, False)
    assert body["data"]["stopped_early"]
    assert body["data"]["requests"] >= 30


def test_it_ends_with_its_parent(server: PlatformServer) -> None:
    """A kill -9 of whoever started it leaves no traffic behind."""
    starter = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=2).pid, flush=True); sys.stdin.read()"
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, *_command(*LONG, "--url", server.url)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
    )  # fmt: skip
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: len(server.measured) > 10, 30)
    parent.kill()
    parent.communicate()

    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 20)
