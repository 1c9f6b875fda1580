"""OperationProcess: another process that starts one operation and says on its standard output what came of it.

Run as `python -m tests.operations.process URL KEY [hold]`: it prints "ready", waits for a line on its standard input so that
two can start in the same moment, starts the operation, prints its id and whether it was created, and its state when it is over.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.operations import Operations
from tests.operations.work import Held, at_once, request

ROOT = Path(__file__).parents[2]


class OperationProcess:
    """One such process; leaving the block kills what is left of it."""

    def __init__(self, url: str, key: str = "import:properties", *, hold: bool = True) -> None:
        command = [sys.executable, "-m", "tests.operations.process", url, key, *(["hold"] if hold else [])]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self) -> OperationProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self) -> tuple[int, bool]:
        """Wait for the process, let it start the operation: its id, and whether it was this process that created it."""
        self.wait_ready()
        self.go()
        return self.started()

    def wait_ready(self) -> None:
        """Wait until it is about to start the operation."""
        assert self.line() == "ready"

    def go(self) -> None:
        """Let it start the operation."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def started(self) -> tuple[int, bool]:
        """The id of the operation under its key, and whether it was this process that created it."""
        number, created = self.line().split()
        return int(number), created == "True"


async def _main(url: str, key: str, hold: bool) -> None:
    queries = Queries()
    store = Database(url, queries, PoolSettings())
    operations = Operations(store, queries)
    await store.open()
    await operations.open()
    _say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    started = await operations.start(request(key, operator="another process"), Held() if hold else at_once)
    _say(f"{started.operation.id} {started.created}")
    _say((await operations.wait(started.operation.id)).state)
    await operations.close()
    await store.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], sys.argv[3:] == ["hold"]))
