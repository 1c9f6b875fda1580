"""Data folders whose servers, sockets and system folders are gone after each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.embedded import EmbeddedPostgres, EmbeddedRedis
from core.embedded.record import RecordFile
from core.embedded.server import EmbeddedServer
from core.embedded.sockets import SocketFolder
from tests.support import wait_until

MEMORY = Path("/dev/shm")
MIN_FREE_BYTES = 4 * 2**30  # several test processes, each with a cluster of 50 MB and its WAL
SERVERS = (EmbeddedPostgres, EmbeddedRedis)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, in memory where there is room: removing a synced cluster takes three times as long on a disk."""
    with contextlib.ExitStack() as stack:
        if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MIN_FREE_BYTES and os.access(MEMORY, os.W_OK):
            yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="embedded-", dir=MEMORY)))
        else:
            yield tmp_path


@pytest.fixture
def data_dir(folder: Path) -> Iterator[Path]:
    """A data folder that does not exist yet."""
    path = folder / "data"
    yield path
    clean_up(path)


@pytest.fixture(params=SERVERS, ids=lambda server: server.name)
def server_type(request: pytest.FixtureRequest) -> type[EmbeddedServer]:
    """Each of the two servers in turn."""
    return request.param


@pytest.fixture
def server(server_type: type[EmbeddedServer], data_dir: Path) -> EmbeddedServer:
    """A server of the data folder, not started."""
    return server_type(data_dir)


@pytest.fixture
def running(server: EmbeddedServer) -> EmbeddedServer:
    """A server of the data folder, started and held by this process."""
    server.ensure()
    return server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of some MB and gives a data folder on it; root only."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    place = tmp_path / "disk"
    place.mkdir()

    def mount(megabytes: int) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip("this machine forbids mounting")
        return place / "data"

    yield mount
    clean_up(place / "data")
    subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)


def clean_up(data_dir: Path) -> None:
    """Kill the servers of a data folder and remove what they keep outside of it."""
    for server_type in SERVERS:
        server = server_type(data_dir)
        with contextlib.suppress(OSError):
            kill_server(server)
        folder = SocketFolder(data_dir.resolve(), server.stem, server.socket_name)
        for place in (Path("/tmp"), Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp"))):
            shutil.rmtree(place / folder._short_name, ignore_errors=True)
    cluster = data_dir / "postgres"
    if cluster.is_symlink() and cluster.resolve().parent.name.startswith("lead-platform-"):
        shutil.rmtree(cluster.resolve().parent, ignore_errors=True)
    shutil.rmtree(data_dir, ignore_errors=True)


def kill_server(server: EmbeddedServer) -> int | None:
    """`kill -9` the server's process, if there is one, and give its pid."""
    process = server._find(RecordFile(server._record_file.path).read())
    if process is None:
        return None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.alive())
    return process.pid
