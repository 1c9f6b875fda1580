"""As root: PostgreSQL runs as another user, and no closed folder is opened for it."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from core.embedded import EmbeddedPostgres
from core.embedded.account import Account
from core.embedded.home import _copied
from tests.embedded.clients import query, read_value, write_value
from tests.embedded.conftest import clean_up
from tests.embedded.console import Console

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what only root must do differently")

# Without SETPCAP no program can be given a capability: a container that dropped it.
WITHOUT_SETPCAP = ("setpriv", "--bounding-set=-setpcap", "--")
CAP_DAC = {1 << 1, 1 << 2}  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@pytest.fixture
def closed_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder below one that only root may enter."""
    parent = tmp_path / "closed"
    parent.mkdir(mode=0o700)
    yield parent / "data"
    clean_up(parent / "data")


def effective_capabilities(pid: int) -> int:
    """The capabilities that a process may use now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("CapEff:")).split()[1], 16)


def test_server_is_not_root(closed_dir):
    """The server runs as a user with a name that is not root, and keeps at most the one capability that opens the way."""
    server = EmbeddedPostgres(closed_dir)
    server.ensure()
    pid = server.process_state().pid
    assert psutil.Process(pid).username() in {"postgres", "nobody"}
    assert effective_capabilities(pid) in CAP_DAC


def test_parents_stay_closed(closed_dir):
    """Neither the data folder nor its parent is opened."""
    EmbeddedPostgres(closed_dir).ensure()
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (closed_dir, closed_dir.parent)} == {0o700}


def test_owner_of_the_data_runs_them(closed_dir):
    """A cluster of `nobody` is served by `nobody`, also when there is a user `postgres`."""
    cluster = closed_dir / "postgres"
    cluster.mkdir(parents=True)
    os.chown(cluster, 65534, pwd.getpwuid(65534).pw_gid)
    server = EmbeddedPostgres(closed_dir)
    server.ensure()
    assert psutil.Process(server.process_state().pid).username() == "nobody"


def test_no_capability_where_none_is_needed(tmp_path):
    """With programs and data that the user can reach, the server gets no capability at all."""
    account = Account.for_server(None)
    assert next(account.variants()).capability is None
    assert account.reaches(Path("/usr/bin/env"), Path("/usr"))
    assert not account.reaches(Path("/proc/1/fd"))


def test_system_folder_where_no_capability_can_be_kept(closed_dir):
    """Where setpriv cannot help, the cluster goes to a folder of its own under /var/lib, and the data folder leads there."""
    with Console(EmbeddedPostgres, closed_dir, prefix=WITHOUT_SETPCAP) as console:
        url = console.ask("ensure")
        write_value(url, "kept")
        pid = console.ask("pid")
        assert effective_capabilities(pid) == 0
        assert console.ask("release") is True
        assert read_value(console.ask("ensure")) == "kept"
    cluster = closed_dir / "postgres"
    assert cluster.is_symlink()
    assert cluster.resolve().is_relative_to("/var/lib")
    assert stat.S_IMODE(cluster.stat().st_mode) == 0o700


def test_system_folder_is_kept_where_a_capability_returns(closed_dir):
    """A cluster once put under /var/lib is found there by a root with all capabilities."""
    with Console(EmbeddedPostgres, closed_dir, prefix=WITHOUT_SETPCAP) as console:
        write_value(console.ask("ensure"), "kept")
        console.ask("release")
    assert read_value(EmbeddedPostgres(closed_dir).ensure()) == "kept"


def test_lost_system_folder_is_reported(closed_dir):
    """A data folder that leads to a cluster that is missing does not get an empty one instead."""
    closed_dir.mkdir(mode=0o700)
    (closed_dir / "postgres").symlink_to("/var/lib/lead-platform-missing/postgres")
    with pytest.raises(Exception, match="which is missing"):
        EmbeddedPostgres(closed_dir).ensure()


def test_closed_programs_are_copied(tmp_path):
    """Programs below a closed folder are copied where the server's user can run them, whatever the umask of pip was."""
    programs = tmp_path / "wheel" / "pginstall"
    (programs / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/env", programs / "bin" / "postgres")
    (programs / "bin" / "postgres").chmod(0o700)
    (programs / "include").mkdir()
    (tmp_path / "wheel.libs").mkdir()
    (tmp_path / "home" / "programs-of-an-older-wheel").mkdir(parents=True)
    copy = _copied(programs, tmp_path / "home")
    assert stat.S_IMODE((copy / "bin" / "postgres").stat().st_mode) == 0o755
    assert [path.name for path in copy.iterdir()] == ["bin"]
    assert (copy.parents[1] / "wheel.libs").is_dir()
    assert list((tmp_path / "home").iterdir()) == [copy.parents[1]]


def test_url_needs_no_capability_of_the_client(closed_dir):
    """Root reaches the socket of the other user, which nobody else can."""
    url = EmbeddedPostgres(closed_dir).ensure()
    assert query(url, "SELECT 1") == 1
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])  # under /tmp where the data folder's path is too long for a socket
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
