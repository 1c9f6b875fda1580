"""Messages APIs that we did not write: llmock in a thread of this process, mock-ai-api as a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import wait_until

MOCK_AI_API = "MOCK_AI_API"
START_SECONDS = 20.0


def mock_ai_api_python() -> Path | None:
    """The interpreter beside the command `mock-ai-api`, which MOCK_AI_API names, or PATH.

    It has a top-level module `app`, as this repository has: it lives in an environment of its own.
    """
    command = os.environ.get(MOCK_AI_API) or shutil.which("mock-ai-api")
    python = Path(command).with_name("python") if command else None
    return python if python is not None and python.is_file() else None


@contextmanager
def mock_ai_api(python: Path, folder: Path) -> Iterator[str]:
    """Its Messages API on a loopback port, as its command starts it, but as one process that can be stopped; gives the URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(python), "-m", "uvicorn", "app.anthropic_app:app", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=folder)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), START_SECONDS)
        assert process.poll() is None, "mock-ai-api did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextmanager
def llmock_server() -> Iterator[Any]:
    """The test server of llmock, on a loopback port."""
    from llmock.testing import LLMockServer  # noqa: PLC0415 - where it is not installed, its tests are skipped

    with LLMockServer() as server:
        yield server


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
