"""The console as an operator runs it: a process with real servers, signals, and clients that do as they like."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import websockets

from tests.console_process import ConsoleProcess
from tests.support import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder for servers of the test's own."""
    return tmp_path / "data"


@pytest.fixture
def console(folder: Path) -> Iterator[ConsoleProcess]:
    """A console that is ready."""
    with ConsoleProcess(folder) as process:
        yield process.wait_ready()


def _reason(console: ConsoleProcess) -> str:
    return str(console.get("/readyz").json()["reason"])


def test_first_start_fills_the_database_and_the_next_start_finds_it(folder: Path) -> None:
    """Sample data is loaded once; a second start works on the same data."""
    with ConsoleProcess(folder) as first:
        loaded = next(step for step in first.wait_ready().get("/readyz").json()["setup"] if step["name"] == "sample_data")
        assert "rows loaded" in loaded["detail"]
    with ConsoleProcess(folder) as second:
        kept = next(step for step in second.wait_ready().get("/readyz").json()["setup"] if step["name"] == "sample_data")
        assert "loaded" not in kept["detail"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_everything_within_five_seconds(console: ConsoleProcess, number: int) -> None:
    """With a browser connected: the console is gone, its servers are gone, and it ended by itself."""
    async with websockets.connect(f"ws://127.0.0.1:{console.port}/_stcore/stream", origin=console.url):
        servers = console.servers()
        started = time.monotonic()
        console.signal(number)
        await asyncio.to_thread(console.process.wait, 10)
        lasted = time.monotonic() - started

    assert len(servers) >= 2
    assert lasted < 5
    assert [server for server in servers if server.is_running() and server.status() != psutil.STATUS_ZOMBIE] == []
    assert console.process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)


def test_after_kill_9_the_next_console_works_on_the_same_servers(folder: Path) -> None:
    """Servers that were left running are taken over, and stopped by the one that took them."""
    with ConsoleProcess(folder) as first:
        first.wait_ready()
        first.process.kill()
        first.process.wait()
        left = {server.pid for server in first.servers()}
        with ConsoleProcess(folder) as second:
            second.wait_ready()
            assert left <= {server.pid for server in second.servers()}
            second.signal(signal.SIGTERM)
            second.process.wait(10)
            wait_until(lambda: second.servers() == [])


def test_two_consoles_share_the_servers_and_the_last_one_stops_them(folder: Path) -> None:
    """The second attaches; ending the first leaves the second working."""
    with ConsoleProcess(folder) as first, ConsoleProcess(folder) as second:
        first.wait_ready()
        second.wait_ready()
        first.signal(signal.SIGTERM)
        first.process.wait(10)

        assert second.status("/readyz") == 200
        second.signal(signal.SIGTERM)
        second.process.wait(10)
        wait_until(lambda: second.servers() == [])


@pytest.mark.parametrize(("server", "title"), [("postgres", "PostgreSQL"), ("redis-server", "Redis")])
def test_a_killed_server_is_told_within_ten_seconds_and_started_again(console: ConsoleProcess, server: str, title: str) -> None:
    """Down is said with the server's name, then all is fine again without anybody's doing."""
    console.server(server).kill()

    wait_until(lambda: _reason(console) == f"{title} does not answer", 10)
    wait_until(lambda: console.status("/readyz") == 200, 20)
    assert f"{title} did not answer" in _reason(console)


@pytest.mark.parametrize(("server", "title"), [("postgres", "PostgreSQL"), ("redis-server", "Redis")])
def test_a_paused_server_is_told_within_ten_seconds_with_the_command(console: ConsoleProcess, server: str, title: str) -> None:
    """A stop signal to the main process alone is noticed, although its old connections still answer."""
    process = console.server(server)
    process.suspend()
    try:
        wait_until(lambda: f"kill -CONT {process.pid}" in console.get("/readyz").json()["next_step"], 10)
        assert _reason(console) == f"{title} does not answer"
    finally:
        process.resume()
    wait_until(lambda: console.status("/readyz") == 200, 20)


def test_only_loopback_is_bound(console: ConsoleProcess) -> None:
    """Every listening address of the console is a loopback address."""
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(console.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_another_address_is_refused_with_the_reason(folder: Path, address: str) -> None:
    """Neither HOST nor Streamlit's own option opens the console to other machines."""
    with ConsoleProcess(folder, env={"HOST": address}) as by_setting:
        assert by_setting.process.wait(30) == 2
        assert "no access control" in by_setting.log.read_text()
    command = ("-m", "streamlit", "run", "app.py", "--server.address", address, "--server.port", "{port}")
    with ConsoleProcess(folder, command=command) as by_option:
        assert by_option.process.wait(30) != 0
        assert "no access control" in by_option.log.read_text()
        assert by_option.servers() == []


def test_a_taken_port_is_named_with_another_to_choose(console: ConsoleProcess, folder: Path) -> None:
    """The second console on the same port says which port and what to type."""
    with ConsoleProcess(folder, env={"PORT": str(console.port)}) as second:
        assert second.process.wait(30) == 1
        assert f"PORT={console.port + 1} make run" in second.log.read_text()


@pytest.mark.parametrize("how", ["streamlit", "uvicorn"])
def test_the_other_ways_to_start_it_work_too(folder: Path, how: str) -> None:
    """`streamlit run app.py` and `uvicorn app:app` serve the same routes."""
    commands = {
        "streamlit": ("-m", "streamlit", "run", "app.py", "--server.port", "{port}"),
        "uvicorn": ("-m", "uvicorn", "app:app", "--port", "{port}"),
    }
    with ConsoleProcess(folder, command=commands[how]) as console:
        console.wait_ready()
        assert console.get("/api/nothing").status_code == 404
        assert console.get("/").status_code == 200
