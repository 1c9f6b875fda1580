"""ConsoleProcess: the console as a process of its own, on embedded servers of its own, for tests of its life and death."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import psutil

from core.settings import Settings
from tests.support import wait_until

ROOT = Path(__file__).parents[1]
FEW_ROWS = {"SAMPLE_LEADS": "200", "SAMPLE_INTERACTIONS": "1000", "SAMPLE_PROPERTIES": "100"}


class ConsoleProcess:
    """One console; leaving the block kills what is left of it and of its servers."""

    def __init__(
        self,
        data_dir: Path,
        *,
        command: Sequence[str] = ("-m", "core", "console"),
        env: Mapping[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        unset = {item.name.upper(): "" for item in fields(Settings)}
        own = {"DATA_DIR": str(data_dir), "PORT": str(self.port), **FEW_ROWS, **(env or {})}
        arguments = [part.replace("{port}", str(self.port)) for part in command]
        self.log = data_dir.with_name(f"{data_dir.name}-{self.port}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], cwd=root, env={**os.environ, **unset, **own},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> ConsoleProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for server in self.servers():
            server.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """One request."""
        return httpx2.get(self.url + path, timeout=5, **options)

    def status(self, path: str) -> int:
        """The status of one request; 0 when nobody answers."""
        try:
            return self.get(path).status_code
        except httpx2.TransportError:
            return 0

    def wait_ready(self, timeout_seconds: float = 60) -> ConsoleProcess:
        """Return when it is ready; the log is part of the message when it never is."""

        def ready_or_ended() -> bool:
            return self.status("/readyz") == 200 or self.process.poll() is not None

        try:
            wait_until(ready_or_ended, timeout_seconds)
            assert self.process.poll() is None
        except AssertionError:
            raise AssertionError(f"The console did not become ready:\n{self.log.read_text()}") from None
        return self

    def servers(self) -> list[psutil.Process]:
        """The server processes that work on this data folder, whoever started them."""
        return [process for process in psutil.process_iter() if _works_on(process, self.data_dir)]

    def server(self, name: str) -> psutil.Process:
        """The main process of one server: `postgres` or `redis-server`."""
        return next(process for process in self.servers() if process.name() == name)


def _works_on(process: psutil.Process, folder: Path) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    server = command and Path(command[0].split(" ")[0]).name in ("postgres", "redis-server", "valkey-server")
    return bool(server) and any(str(folder) in part for part in command)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
