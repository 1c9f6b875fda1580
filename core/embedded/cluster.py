"""Cluster: PostgreSQL's data folder, made whole or not at all; refuses, untouched, one of another major version or user."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from core.embedded.deadline import Deadline
from core.embedded.folder import (
    USE_OWN_SERVERS,
    claimed,
    disk_full,
    free_megabytes,
    make_private_folder,
    sync_folder,
    user_name,
)
from core.embedded.home import PostgresHome
from core.embedded.logfile import LogFile
from core.errors import EmbeddedServerError

MAJOR = "18"
REMOVE_SECONDS = 5.0  # the children of a killed initdb end as soon as they read the end of their pipe
MIN_FREE_MEGABYTES = 500  # an empty cluster takes 46, its WAL may grow to 1024, sample data and indexes some hundred
NAME = "platform"  # the database and its superuser
ERROR_LINE = re.compile(r"\b(FATAL|PANIC|ERROR)\b|error:", re.ASCII)
SINGLE_USER = ("--single", "-j", "-F")  # -F: no fsync, the whole folder is synced at the end
STATEMENTS = (("postgres", f"CREATE DATABASE {NAME};"), (NAME, "CREATE EXTENSION pg_stat_statements;"))
INITDB = (
    f"--username={NAME}",
    "--encoding=UTF8",
    # The wheel has no ICU; the built-in provider sorts by code point on every machine alike, libc's C.UTF-8 may be missing.
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    # Trust is safe only because the socket lies in a folder of mode 0700 and no port is open.
    *("--auth-local=trust", "--auth-host=reject"),
    *("--no-sync", "--no-instructions"),
)


class Cluster:
    """The data folder of one home."""

    def __init__(self, home: PostgresHome, data_folder: Path, log: LogFile) -> None:
        self._home = home
        self._path = home.cluster
        self._link = data_folder / "postgres"
        self._log = log

    def ensure(self, deadline: Deadline) -> None:
        """Check the cluster, or make it on first use; raises EmbeddedServerError."""
        self._remove_dead_attempts(deadline)
        if self._path.is_dir() and any(self._path.iterdir()):
            self._check()
        else:
            self._create(deadline)
        if self._link.resolve() != self._path:
            self._link.symlink_to(self._path)

    def _check(self) -> None:
        owner = self._path.stat().st_uid
        if owner != self._home.account.uid:
            raise EmbeddedServerError(
                f"{self._path} belongs to {user_name(owner)}, but PostgreSQL would run as {user_name(self._home.account.uid)}",
                f"Give it back with `chown -R {user_name(self._home.account.uid)} {self._path}`, or move it aside.",
            )
        try:
            found = (self._path / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedServerError(
                f"{self._path} is not a data folder of PostgreSQL: it has no PG_VERSION",
                f"Move {self._path} aside and start again.",
            ) from None
        if found != MAJOR:
            raise EmbeddedServerError(
                f"{self._path} was written by PostgreSQL {found}, and this version of the console brings PostgreSQL {MAJOR}",
                f"Carry the data over with `pg_dumpall` of PostgreSQL {found} or with `pg_upgrade -b <bin of {found}> "
                f"-B {self._home.programs / 'bin'} -d {self._path} -D <new folder>`, "
                f"or move {self._path} aside to start empty.",
            )

    def _create(self, deadline: Deadline) -> None:
        parent = self._path.parent
        if free_megabytes(parent) < MIN_FREE_MEGABYTES:
            raise EmbeddedServerError(
                f"a new database needs {MIN_FREE_MEGABYTES} MB, and {free_megabytes(parent)} MB are free in {parent}",
                f"Free some space there, or set DATA_DIR to a folder on another disk. {USE_OWN_SERVERS} to do without.",
            )
        staging = parent / f"postgres.new-{os.getpid()}"
        make_private_folder(staging, self._home.account.uid, self._home.account.gid)
        try:
            with claimed(staging, deadline) as claim, self._log.opened() as log_fd:
                self._fill(staging, deadline, log_fd, claim)
            staging.rename(self._path)
            sync_folder(parent)
        except BaseException:
            with contextlib.suppress(EmbeddedServerError):  # What could not be removed yet goes at the next start.
                self._remove(staging, Deadline(REMOVE_SECONDS))
            raise

    def _fill(self, staging: Path, deadline: Deadline, log_fd: int, claim: int) -> None:
        def run(program: str, *arguments: str, text: str | None = None) -> None:
            command = [self._home.program(program), *arguments]
            seconds = deadline.remaining_seconds
            done = self._home.account.run(command, timeout_seconds=seconds, text=text, output_fd=log_fd, keep_fds=[claim])
            self._judge(program, done.returncode, has_statement=text is not None)

        try:
            run("initdb", *INITDB, f"--pgdata={staging}")
            for database, statement in STATEMENTS:
                run("postgres", *SINGLE_USER, "-D", str(staging), database, text=statement)
            run("initdb", "--sync-only", f"--pgdata={staging}")
        except subprocess.TimeoutExpired as error:
            raise EmbeddedServerError(
                f"PostgreSQL did not make a new database within {deadline.seconds:.0f} s",
                f"See {self._log.path} and try again.",
            ) from error

    def _judge(self, program: str, exit_code: int, *, has_statement: bool) -> None:
        if self._log.tells_full_disk():
            raise disk_full("PostgreSQL", self._path.parent)
        cause = self._log.cause(ERROR_LINE)
        # A single-user server reports a failed statement in its log only and still ends with 0.
        if exit_code != 0 or (has_statement and ERROR_LINE.search(cause)):
            raise EmbeddedServerError(
                f"{program} cannot make a new database: {cause}", f"Read {self._log.path}, remove the cause and start again."
            )

    def _remove_dead_attempts(self, deadline: Deadline) -> None:
        for attempt in self._path.parent.glob("postgres.new-*"):
            self._remove(attempt, deadline)

    @staticmethod
    def _remove(attempt: Path, deadline: Deadline) -> None:
        # A process of its initdb may outlive the one that was killed, and would fill the folder while it is removed.
        with contextlib.suppress(FileNotFoundError), claimed(attempt, deadline):
            shutil.rmtree(attempt)
