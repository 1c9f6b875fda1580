"""Work for operations under test: it ends when it is told to, and says how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from core.operations import OperationRequest
from core.ports import Progress


def request(key: str = "import:properties", **changes: Any) -> OperationRequest:
    """An import, asked for by a local operator."""
    given = {"kind": "import", "title": "Import properties", "operator": "local operator", "commands": ("COPY properties",)}
    return OperationRequest(key=key, **{**given, **changes})


class Held:
    """Work that runs until it is let go; `started` and `ended` tell what became of it."""

    def __init__(self, result: Mapping[str, Any] | None = None) -> None:
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.let_go = asyncio.Event()
        self.progress: Progress = _nowhere
        self.result = result or {"rows": 3}

    async def __call__(self, progress: Progress) -> Mapping[str, Any]:
        self.progress = progress
        self.started.set()
        try:
            await self.let_go.wait()
        finally:
            self.ended.set()
        return self.result


async def at_once(progress: Progress) -> Mapping[str, Any]:
    """Work that is done as soon as it runs."""
    progress("rows", 3, 3)
    return {"rows": 3}


def _nowhere(_what: str, _done: int, _total: int) -> None:
    return None
