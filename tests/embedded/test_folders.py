"""Folders that cannot be used are refused in words, and nothing in them is touched."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.embedded import EmbeddedPostgres, EmbeddedRedis
from core.embedded.sockets import MAX_SOCKET_BYTES
from core.errors import EmbeddedServerError
from tests.embedded.clients import query, read_value, write_value
from tests.embedded.conftest import clean_up
from tests.embedded.console import Console

AS_ROOT = os.geteuid() == 0
# As `nobody`, but able to reach a checkout and a Python below a closed home folder.
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--securebits=+no_setuid_fixup"),
    *("--bounding-set=-all,+dac_read_search", "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--"),
)


@pytest.fixture
def far_dir(folder: Path) -> Iterator[Path]:
    """A data folder whose path is longer than the name of a socket may be."""
    path = folder / ("a" * 60) / ("b" * 60) / "data"
    yield path
    clean_up(path)


def snapshot(folder: Path) -> list[tuple[str, int, int, int]]:
    """Names, modes, sizes and times of all that lies in a folder."""
    paths = sorted([folder, *folder.rglob("*")])
    return [(str(path), path.stat().st_mode, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def test_long_path(server_type, far_dir):
    """Where the path is too long for a socket, it lies in a short private folder, and other processes find it."""
    server = server_type(far_dir)
    write_value(server.ensure(), "far")
    socket = server._socket(server._record_file.read())
    assert len(os.fsencode(socket)) <= MAX_SOCKET_BYTES
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    with Console(server_type, far_dir, environment={"XDG_RUNTIME_DIR": str(far_dir.parents[2])}) as console:
        assert console.ask("url") == server.url
        assert read_value(console.ask("ensure")) == "far"


@pytest.mark.parametrize("name", ["with space", "with,comma", "ünï:cöde", "per%cent"])
def test_unusual_name(server_type, folder, name):
    """A data folder may have any name."""
    path = folder / name
    try:
        write_value(server_type(path).ensure(), "any")
        assert read_value(server_type(path).url) == "any"
    finally:
        clean_up(path)


def test_foreign_socket_folder_is_refused(server_type, far_dir):
    """A folder in /tmp under our name that others may enter is not used."""
    server = server_type(far_dir)
    place = server._socket(server._record_file.read()).parent
    place.mkdir()
    place.chmod(0o755)
    with pytest.raises(EmbeddedServerError, match=re.escape(str(place))):
        server.ensure()


def test_copied_folder_has_its_own_socket(running, server_type, folder):
    """A copy of a stopped data folder starts a server of its own beside the original."""
    running.release()
    copy = folder / "copy"
    shutil.copytree(folder / "data", copy, ignore=shutil.ignore_patterns("*.sock"))
    for path in copy.rglob("*"):
        original = (folder / "data" / path.relative_to(copy)).stat()
        os.chown(path, original.st_uid, original.st_gid)
    try:
        assert running.ensure() != server_type(copy).ensure()
    finally:
        clean_up(copy)


@pytest.mark.skipif(AS_ROOT, reason="root owns /; test_folder_of_another_user_as_root covers it")
def test_folder_of_another_user(server_type):
    """A data folder of another user is refused by name."""
    with pytest.raises(EmbeddedServerError, match="the data folder / belongs to root"):
        server_type(Path("/")).ensure()


@pytest.mark.skipif(not AS_ROOT, reason="giving a folder away takes root")
def test_folder_of_another_user_as_root(server_type, data_dir):
    """Root does not take over the data folder of a user."""
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, 65534, 65534)
    with pytest.raises(EmbeddedServerError, match="belongs to nobody, and this process runs as root"):
        server_type(data_dir).ensure()
    assert not list(data_dir.iterdir())


@pytest.mark.skipif(
    AS_ROOT, reason="file modes do not bind root; test_read_only_folder_as_nobody and test_read_only_disk cover it"
)
def test_read_only_folder(server_type, data_dir):
    """A data folder without write permission is refused."""
    data_dir.mkdir(mode=0o500)
    with pytest.raises(EmbeddedServerError, match=f"cannot use {data_dir}: permission denied"):
        server_type(data_dir).ensure()


@pytest.mark.skipif(not AS_ROOT, reason="becoming another user takes root")
def test_read_only_folder_as_nobody(server_type, tmp_path):
    """A data folder that its own user made read-only is refused."""
    path = tmp_path / "data"
    path.mkdir()
    os.chown(path, 65534, 65534)
    path.chmod(0o500)
    with Console(server_type, path, prefix=AS_NOBODY) as console, pytest.raises(EmbeddedServerError, match="permission denied"):
        console.ask("ensure")


def test_read_only_disk(server_type, small_disk):
    """A data folder on a disk mounted read-only is refused."""
    path = small_disk(16)
    path.mkdir()
    subprocess.run(["mount", "-o", "remount,ro", path.parent], check=True)
    with pytest.raises(EmbeddedServerError, match=f"cannot use {path}") as caught:
        server_type(path).ensure()
    assert "DATABASE_URL and REDIS_URL" in caught.value.next_step


def test_file_in_place_of_the_folder(server_type, tmp_path):
    """A data folder that is a file is refused."""
    path = tmp_path / "data"
    path.touch()
    with pytest.raises(EmbeddedServerError, match="File exists"):
        server_type(path).ensure()


@pytest.mark.parametrize("major", ["17", "19"])
def test_other_major_version(data_dir, major):
    """A cluster of another major version is refused with the command that carries it over, and stays as it was."""
    cluster = data_dir / "postgres"
    cluster.mkdir(parents=True, mode=0o700)
    data_dir.chmod(0o700)
    (cluster / "PG_VERSION").write_text(f"{major}\n")
    (cluster / "postmaster.pid").write_text("1\n")
    if AS_ROOT:
        os.chown(cluster, 65534, 65534)
    before = snapshot(cluster)
    with pytest.raises(EmbeddedServerError, match=f"was written by PostgreSQL {major}") as caught:
        EmbeddedPostgres(data_dir).ensure()
    assert "pg_upgrade" in caught.value.next_step
    assert snapshot(cluster) == before


def test_folder_that_is_no_cluster(data_dir):
    """A folder `postgres` with other things in it is refused and stays as it was."""
    cluster = data_dir / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "notes.txt").write_text("mine")
    if AS_ROOT:
        os.chown(cluster, 65534, 65534)
    before = snapshot(cluster)
    with pytest.raises(EmbeddedServerError, match="no PG_VERSION"):
        EmbeddedPostgres(data_dir).ensure()
    assert snapshot(cluster) == before


def test_cluster_of_another_user(data_dir):
    """A cluster whose files belong to another user is refused with the command that gives them back."""
    if not AS_ROOT:
        pytest.skip("giving files away takes root")
    server = EmbeddedPostgres(data_dir)
    server.ensure()
    server.release()
    os.chown(data_dir / "postgres", 0, 0)
    with pytest.raises(EmbeddedServerError, match="belongs to root") as caught:
        server.ensure()
    assert "chown -R" in caught.value.next_step


def test_dead_attempt_is_removed(data_dir):
    """What a killed first start left half made is removed by the next one."""
    attempt = data_dir / "postgres.new-1"
    (attempt / "base").mkdir(parents=True)
    EmbeddedPostgres(data_dir).ensure()
    assert not attempt.exists()


def test_failed_first_start_leaves_nothing(data_dir):
    """A first start that ran out of time leaves no half-made cluster."""
    with pytest.raises(EmbeddedServerError, match="did not make a new database within"):
        EmbeddedPostgres(data_dir, start_timeout_seconds=0.1).ensure()
    assert not list(data_dir.glob("postgres*/"))


def test_failed_start_quotes_the_log(data_dir):
    """A start that fails names the log and quotes the line that says why."""
    server = EmbeddedPostgres(data_dir)
    server.ensure()
    server.release()
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = on\n")
    with pytest.raises(EmbeddedServerError, match=r"does not start: .*(FATAL|no_such_setting)") as caught:
        server.ensure()
    assert str(data_dir / "postgres.log") in caught.value.next_step
    assert not server.release()


def test_too_small_disk_before_the_first_start(small_disk):
    """A first start on a disk with less than 500 MB is refused with both figures."""
    path = small_disk(64)
    with pytest.raises(EmbeddedServerError, match=r"needs 500 MB, and \d+ MB are free in"):
        EmbeddedPostgres(path).ensure()
    assert not list(path.glob("postgres*/"))


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast


def test_full_disk_at_a_start(small_disk):
    """A start that fails for lack of space says which folder, and works once there is some."""
    path = small_disk(600)
    server = EmbeddedPostgres(path)
    server.ensure()
    server.release()
    ballast = fill(path.parent)
    with pytest.raises(EmbeddedServerError, match=f"no space left in {path}.*: 0 MB are free"):
        server.ensure()
    ballast.unlink()
    assert query(server.ensure(), "SELECT 1") == 1


def test_full_disk_under_a_running_server(server_type, small_disk):
    """On a full disk other consoles still attach to a running server and leave it."""
    path = small_disk(600)
    server = server_type(path)
    server.ensure()
    fill(path.parent)
    with Console(server_type, path) as console:
        assert console.ask("ensure") == server.url
        assert console.ask("release") is False
    assert server.release()


def test_full_disk_at_the_start_of_redis(small_disk):
    """Redis on a disk without space says which folder has none."""
    path = small_disk(16)
    path.mkdir(mode=0o700)
    fill(path.parent)
    with pytest.raises(EmbeddedServerError, match=f"no space left in {path}"):
        EmbeddedRedis(path).ensure()
