"""RedisServer: a Redis of one test's own, to be killed, stopped, filled and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from core.embedded.binaries import find_redis
from core.embedded.deadline import Deadline
from tests.support import wait_until


class RedisServer:
    """Listens on a Unix socket in a folder of its own; keeps nothing on disk."""

    def __init__(self, data_folder: Path, *options: str) -> None:
        self._data_folder = data_folder  # Where the program is looked for, and fetched to when it is nowhere else.
        self._folder = tempfile.TemporaryDirectory(prefix="redis-test-")  # tmp_path is too long for a socket's name.
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = str(Path(self._folder.name) / "redis.sock")
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        program = find_redis(self._data_folder, Deadline(60))
        settings = {"port": "0", "unixsocket": self.socket, "save": "", "dir": self._folder.name}
        parts = [part for key, value in settings.items() for part in (f"--{key}", value)]
        self._process = subprocess.Popen([program, *parts, *self._options], stdout=subprocess.DEVNULL)
        try:
            wait_until(self._answers)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once; its socket's file stays, as after a crash."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it and start it empty."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it by a signal: connections are taken by the kernel, and nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def client(self, url: str | None = None) -> Redis:
        """A client to look and to configure; to be used in a `with` block."""
        return Redis.from_url(url or self.url)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        self._folder.cleanup()

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except AuthenticationError:
            return True
        except (RedisError, OSError):
            return False
