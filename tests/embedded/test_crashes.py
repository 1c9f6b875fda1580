"""What a crash leaves behind does not keep the next start from working."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from core.embedded import EmbeddedPostgres
from core.embedded.deadline import Deadline
from core.embedded.process import ProcessIdentity
from core.embedded.record import Holder, RecordFile
from core.embedded.server import EmbeddedServer
from core.errors import EmbeddedServerError
from tests.embedded.clients import query, read_value, write_value
from tests.embedded.conftest import kill_server
from tests.embedded.console import Console
from tests.support import wait_until


@pytest.fixture
def stranger() -> Iterator[int]:
    """The pid of a process that has nothing to do with the servers."""
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def paused(running: EmbeddedServer) -> Iterator[int]:
    """The pid of the running server, stopped by SIGSTOP."""
    pid = running.process_state().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: running.process_state().state == "paused")
    return pid


def edit_record(server: EmbeddedServer, change) -> None:
    """Rewrite the record as `change` says."""
    with RecordFile(server._record_file.path).locked(Deadline(5)) as locked:
        locked.write(change(locked.read()))


def test_killed_console_leaves_a_server_to_attach_to(server, server_type, data_dir):
    """After `kill -9` of the only console the next one uses the running server, and its release stops it."""
    with Console(server_type, data_dir) as console:
        url = console.ask("ensure")
        pid = console.ask("pid")
        write_value(url, "kept")
        console.kill()
    assert server.ensure() == url
    assert server.process_state().pid == pid
    assert read_value(url) == "kept"
    assert server.release()


def test_killed_server_is_restarted(running):
    """After `kill -9` of the server `ensure` starts it again and the data is there."""
    write_value(running.url, "kept")
    killed = kill_server(running)
    assert running.process_state().state == "gone"
    assert read_value(running.ensure()) == "kept"
    assert running.process_state().pid != killed


def test_killed_server_is_restarted_by_another_process(running, server_type, data_dir):
    """Any holder may restart a dead server, the others then use the new one."""
    kill_server(running)
    with Console(server_type, data_dir) as console:
        assert console.ask("ensure") == running.ensure()
        assert console.ask("pid") == running.process_state().pid


def test_recycled_pid_in_the_pid_file(running, stranger):
    """A pid file that names a living stranger does not prevent the start, and the stranger lives on."""
    kill_server(running)
    pid_file = running._folder() / running.pid_name
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(stranger), *lines[1:]]) + "\n")
    running.ensure()
    assert running.process_state().state == "running"
    assert psutil.pid_exists(stranger)


def test_recycled_pid_in_the_record(running, stranger):
    """A recorded server whose pid now belongs to another process counts as gone."""
    kill_server(running)
    edit_record(running, lambda record: type(record)(ProcessIdentity(stranger, "another birth"), record.socket_folder))
    running.ensure()
    assert running.process_state().pid != stranger


def test_recycled_pid_is_no_holder(running, stranger):
    """A holder whose pid now belongs to another process does not keep the server alive."""
    ghost = Holder(ProcessIdentity(stranger, "another birth"), "token")
    edit_record(running, lambda record: record.with_holder(ghost))
    assert running.release()


def test_stale_socket_files(running, stranger):
    """A socket and its lock file left by a dead server, its pid alive again, do not prevent the start."""
    kill_server(running)
    socket = running._socket(running._record_file.read())
    socket.touch()
    socket.with_name(socket.name + ".lock").write_text(f"{stranger}\n{running._folder()}\n0\n5432\n{socket.parent}\n")
    running.ensure()
    assert running.process_state().state == "running"


def test_removed_socket_is_made_anew(running):
    """A running server whose socket somebody removed is started anew, since no client can reach it."""
    running._socket(running._record_file.read()).unlink()
    write_value(running.ensure(), "reachable")
    assert read_value(running.url) == "reachable"


def test_start_killed_half_way_is_adopted(running, server_type, data_dir):
    """A server that its starter could not record any more is found by its pid file."""
    pid = running.process_state().pid
    running._record_file.path.write_bytes(b"")
    other = server_type(data_dir)
    other.ensure()
    assert other.process_state().pid == pid
    assert other.release()


def test_torn_record_is_read_as_none(running):
    """A record torn by a power cut is rebuilt."""
    pid = running.process_state().pid
    running._record_file.path.write_bytes(b'{"server": [12')
    running.ensure()
    assert running.process_state().pid == pid


def test_paused_server_is_reported(running, paused):
    """`ensure` on a paused server says how to continue it and leaves it alive."""
    with pytest.raises(EmbeddedServerError, match=f"process {paused}.*paused") as caught:
        running.ensure()
    assert f"kill -CONT {paused}" in caught.value.next_step
    assert running.process_state().pid == paused


def test_continued_server_is_used_again(running, paused):
    """After SIGCONT the same process answers."""
    os.kill(paused, signal.SIGCONT)
    running.ensure()
    assert running.process_state().state == "running"
    assert running.process_state().pid == paused


def test_release_stops_a_paused_server(running, paused):
    """The last release does not leave a paused server behind."""
    assert running.release()
    assert running.process_state().state == "gone"


def test_kept_lock_is_reported(server_type, data_dir, running):
    """When another process keeps the lock, `ensure` names the file after its time limit."""
    impatient = server_type(data_dir, start_timeout_seconds=0.2)
    with running._record_file.locked(Deadline(5)), pytest.raises(EmbeddedServerError, match=re.escape(f"{running.stem}.lock")):
        impatient.ensure()


def test_removed_folder_leaves_no_server(running, data_dir, folder):
    """When the data folder is removed under a running server, `ensure` stops that one and starts anew."""
    old = ProcessIdentity.of(running.process_state().pid or 0)
    data_dir.rename(folder / "elsewhere")
    running.ensure()
    assert old is not None
    assert not old.alive()
    assert running.process_state().state == "running"


def test_orphaned_backend_holds_the_next_start_back(data_dir):
    """While a backend of a killed postmaster still writes, no second postmaster is started on its files."""
    server = EmbeddedPostgres(data_dir, start_timeout_seconds=0.5)
    url = EmbeddedPostgres(data_dir).ensure()
    find_backend = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %'"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(query, url, "DO 'BEGIN LOOP END LOOP; END'", timeout_seconds=60)  # busy, and writes nothing
        wait_until(lambda: query(url, find_backend) is not None)
        backend = query(url, find_backend)
        try:
            kill_server(server)
            with pytest.raises(EmbeddedServerError, match="still works in"):
                server.ensure()
        finally:
            os.kill(backend, signal.SIGKILL)
    assert EmbeddedPostgres(data_dir).ensure() == url


@pytest.mark.parametrize(
    "sign",
    ["postgres.lock", "postgres.new-*", "postgres.new-*/global/pg_control", "postgres/PG_VERSION", "postgres/postmaster.pid"],
)
def test_console_killed_during_the_first_start(data_dir, sign):
    """At whatever moment of the first start a console is killed, the next one gets a whole database."""
    with Console(EmbeddedPostgres, data_dir) as console:
        console.tell("ensure")
        wait_until(lambda: any(data_dir.glob(sign)))
        console.kill()
    server = EmbeddedPostgres(data_dir)
    assert query(server.ensure(), "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'") == 1
    assert not list(data_dir.glob("postgres.new-*"))
    assert server.release()


@pytest.mark.slow
def test_crash_recovery_is_waited_for(data_dir):
    """A server that replays its log after a crash is waited for, not started twice."""
    server = EmbeddedPostgres(data_dir)
    url = server.ensure()
    query(url, "CREATE TABLE rows AS SELECT i, md5(i::text) FROM generate_series(1, 2000000) i", timeout_seconds=60)
    kill_server(server)
    assert query(server.ensure(), "SELECT count(*) FROM rows") == 2_000_000
