"""The first starts, others attach, the last stops."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.embedded import EmbeddedPostgres
from core.embedded.server import EmbeddedServer
from tests.embedded.clients import query, read_value, write_value
from tests.embedded.console import Console
from tests.support import wait_until


def test_first_ensure_starts(server):
    """The first `ensure` leaves a server that keeps what it is given."""
    url = server.ensure()
    write_value(url, "first")
    assert read_value(url) == "first"


def test_url_is_known_before(server):
    """The URL before the start is the one after it."""
    before = server.url
    assert server.ensure() == before == server.url


def test_second_ensure_is_quick(running):
    """`ensure` on a running server takes less than 5 ms."""
    durations = []
    for _ in range(20):
        start = time.perf_counter()
        running.ensure()
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.005


def test_ensure_twice_is_one_hold(running):
    """One object holds the server once, however often it asks."""
    running.ensure()
    assert running.release()
    assert running.process_state().state == "gone"


def test_two_objects_are_two_holders(running, server_type, data_dir):
    """In one process each object holds for itself; only the last release stops the server."""
    other = server_type(data_dir)
    other.ensure()
    assert not running.release()
    assert other.process_state().state == "running"
    assert other.release()


def test_release_without_hold_stops_nothing(running, server_type, data_dir):
    """An object that never asked for the server cannot stop it."""
    assert not server_type(data_dir).release()
    assert running.process_state().state == "running"


def test_second_release_stops_nothing(running, server_type, data_dir):
    """A holder that released twice does not count for another one."""
    other = server_type(data_dir)
    other.ensure()
    assert not other.release()
    assert not other.release()
    assert running.process_state().state == "running"


def test_other_process_attaches(running, server_type, data_dir):
    """A second console uses the same server and does not stop it while the first holds it."""
    with Console(server_type, data_dir) as console:
        assert console.ask("ensure") == running.url
        assert console.ask("pid") == running.process_state().pid
        assert console.ask("release") is False
    assert running.process_state().state == "running"


def test_last_process_stops(running, server_type, data_dir):
    """When the starter leaves first, the attached console stops the server at its end."""
    with Console(server_type, data_dir) as console:
        console.ask("ensure")
        assert not running.release()
        assert console.ask("release") is True
    assert running.process_state().state == "gone"


def test_data_outlive_a_restart(running):
    """What was written before the last release is there after the next start."""
    write_value(running.url, "kept")
    running.release()
    assert read_value(running.ensure()) == "kept"


def test_two_processes_at_once_share_one_server(server_type, data_dir):
    """Two consoles that start at the same moment get one server."""
    with Console(server_type, data_dir) as first, Console(server_type, data_dir) as second:
        for console in (first, second):
            console.tell("ensure")
        assert first.answer() == second.answer()
        assert first.ask("pid") == second.ask("pid")
        assert first.ask("release") is False
        assert second.ask("release") is True


def test_threads_at_once_share_one_server(server_type, data_dir):
    """Eight threads that ask at the same moment get one server."""
    servers = [server_type(data_dir) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda server: server.ensure(), servers))
        assert len(urls) == 1
        assert list(pool.map(lambda server: server.release(), servers)).count(True) == 1


def test_signals_of_the_terminal_do_not_reach_it(running):
    """The server has a session of its own, so Ctrl-C ends the console alone."""
    pid = running.process_state().pid
    assert os.getsid(pid) != os.getsid(0)


def test_state_before_the_first_start(server):
    """A server that was never started is gone and has no pid."""
    state = server.process_state()
    assert (state.state, state.pid) == ("gone", None)


def test_state_keeps_its_beginning(running):
    """`since` stays while the state does."""
    first = running.process_state()
    assert running.process_state() == first
    running.release()
    gone = running.process_state()
    assert gone.state == "gone"
    assert gone.since > first.since


def test_folders_are_private(running, data_dir):
    """Nobody else can enter the data folder or reach the socket."""
    folders = [data_dir, data_dir / running.stem, data_dir / f"{running.stem}-socket"]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_stop_ends_busy_connections(data_dir):
    """A long query of a client does not keep the last release from stopping the server within the limit."""
    server = EmbeddedPostgres(data_dir, stop_timeout_seconds=3.0)
    url = server.ensure()
    with ThreadPoolExecutor(1) as pool:
        sleeper = pool.submit(query, url, "SELECT pg_sleep(60)", timeout_seconds=60)
        wait_until(lambda: query(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == 1)
        start = time.perf_counter()
        assert server.release()
        assert time.perf_counter() - start < 3.0
        with pytest.raises(Exception, match=r"terminat|clos"):
            sleeper.result()


def test_large_log_is_rotated(server: EmbeddedServer, data_dir: Path):
    """A log over 10 MB is moved aside at the next start."""
    data_dir.mkdir(mode=0o700)
    log = data_dir / f"{server.stem}.log"
    with log.open("wb") as file:
        file.truncate(11 * 2**20)
    server.ensure()
    assert log.stat().st_size < 2**20
    assert log.with_name(log.name + ".1").stat().st_size == 11 * 2**20
