"""Debian's PostgreSQL: a cluster of one test run, made as the embedded one is, by a user who is not root."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from core.embedded.home import PostgresHome
from core.embedded.process import ProcessIdentity
from tests.servers import execute
from tests.support import wait_until

PROGRAMS = Path("/usr/lib/postgresql")  # Where Debian keeps each major version.
SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "shared_buffers": "16MB",
    "fsync": "off",
    "shared_preload_libraries": "pg_stat_statements",
}


def find_programs(major: str) -> Path | None:
    """The folder of that version's programs; None where it is not installed."""
    folder = PROGRAMS / major
    return folder if all((folder / "bin" / name).is_file() for name in ("initdb", "postgres")) else None


class DebianPostgres:
    """One server in a folder of its own; Debian's own cluster and service are never touched."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self._process: ProcessIdentity | None = None

    @property
    def url(self) -> str:
        """Its database `platform`."""
        return f"postgresql://platform@/platform?host={self._folder}"

    def start(self) -> None:
        """Make the cluster and start its server."""
        home = PostgresHome.find(self._folder, self._programs)
        account, cluster = home.account, self._folder / "cluster"
        cluster.mkdir(mode=0o700)
        if account.switch:
            os.chown(self._folder, account.uid, account.gid)
            os.chown(cluster, account.uid, account.gid)
        making = [
            home.program("initdb"), "--username=platform", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync",
            f"--pgdata={cluster}",
        ]  # fmt: skip
        said = self._folder / "initdb.log"
        with said.open("wb") as log:
            done = account.run(making, timeout_seconds=SECONDS, output_fd=log.fileno())
        assert done.returncode == 0, f"initdb failed: {said.read_text()}"
        settings = {**SETTINGS, "unix_socket_directories": str(self._folder)}
        flags = [flag for key, value in settings.items() for flag in ("-c", f"{key}={value}")]
        command = [home.program("postgres"), "-D", str(cluster), *flags]
        self._process = account.spawn(command, output_fd=subprocess.DEVNULL, keep_fds=[])
        asking = [home.program("pg_isready"), "--host", str(self._folder)]
        wait_until(lambda: account.run(asking, timeout_seconds=SECONDS).returncode == 0, SECONDS)
        execute(self.url.replace("@/platform", "@/postgres"), "CREATE DATABASE platform")

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.stop([(signal.SIGQUIT, SECONDS), (signal.SIGKILL, SECONDS)])
            self._process = None
