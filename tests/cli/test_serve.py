"""`python -m core serve`: the API in several processes, without Streamlit, beside a console."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from tests.console_process import ConsoleProcess
from tests.support import wait_until

pytestmark = pytest.mark.slow
SERVE = ("-m", "core", "serve", "--workers", "2", "--port", "{port}")


def test_workers_serve_and_end_with_their_servers(tmp_path: Path) -> None:
    """Two workers answer on one port; one signal ends the parent, both workers and the embedded servers within five seconds."""
    with ConsoleProcess(tmp_path / "data", command=SERVE) as serve:
        serve.wait_ready()
        assert len(serve.get("/api/markets").json()["items"]) == 5
        assert serve.status("/api/live") == 404
        family = [serve.process, *psutil.Process(serve.process.pid).children(recursive=True)]
        assert len(family) >= 3
        serve.signal(signal.SIGTERM)
        serve.process.wait(5)

        wait_until(lambda: serve.servers() == [])
        wait_until(lambda: not any(psutil.pid_exists(process.pid) for process in family[1:]))


def test_a_console_and_serve_share_the_embedded_servers(tmp_path: Path) -> None:
    """The same data folder, the same rows; only the console counts as a start."""
    folder = tmp_path / "data"
    with ConsoleProcess(folder) as console, ConsoleProcess(folder, command=SERVE) as serve:
        console.wait_ready()
        serve.wait_ready()

        assert console.get("/api/markets").json() == serve.get("/api/markets").json()
        serve.signal(signal.SIGTERM)
        serve.process.wait(5)
        assert console.status("/readyz") == 200


def test_too_many_workers_and_a_taken_port_are_usage_errors(tmp_path: Path) -> None:
    """One sentence and what to do."""
    with ConsoleProcess(tmp_path / "a", command=("-m", "core", "serve", "--workers", "0")) as serve:
        assert serve.process.wait(30) == 2
        assert "--workers" in serve.log.read_text()
