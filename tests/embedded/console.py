"""A second console for the tests: a process of its own that holds an embedded server and does what it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from core.embedded import EmbeddedPostgres, EmbeddedRedis
from core.embedded.server import EmbeddedServer
from core.errors import EmbeddedServerError

ROOT = Path(__file__).parents[2]
SERVERS: dict[str, type[EmbeddedServer]] = {"postgresql": EmbeddedPostgres, "redis": EmbeddedRedis}


class Console:
    """Drives the other process by lines on its standard input."""

    def __init__(
        self,
        server: type[EmbeddedServer],
        data_dir: Path,
        *,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        start_timeout_seconds: float = 30.0,
    ) -> None:
        command = [
            *prefix,
            sys.executable,
            "-m",
            "tests.embedded.console",
            server.name,
            str(data_dir),
            str(start_timeout_seconds),
        ]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The pid of the other process."""
        return self._process.pid

    def tell(self, method: str) -> None:
        """Call a method there without waiting for its answer."""
        assert self._process.stdin
        self._process.stdin.write(method + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """What the oldest unanswered call returned; raises the EmbeddedServerError that it raised."""
        assert self._process.stdout
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise EmbeddedServerError(reply["error"], reply["next_step"])
        return reply["value"]

    def ask(self, method: str) -> Any:
        """Call a method there and wait for its answer."""
        self.tell(method)
        return self.answer()

    def kill(self) -> None:
        """`kill -9`, as a crash or an impatient operator does."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()


def main(name: str, data_dir: str, start_timeout_seconds: str) -> None:
    """Answer calls until the input ends."""
    server = SERVERS[name](Path(data_dir), start_timeout_seconds=float(start_timeout_seconds))
    for line in sys.stdin:
        try:
            if line.strip() == "pid":
                value: object = server.process_state().pid
            elif line.strip() == "url":
                value = server.url
            else:
                value = getattr(server, line.strip())()
            reply: dict[str, object] = {"value": value}
        except EmbeddedServerError as error:
            reply = {"error": str(error), "next_step": error.next_step}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
