"""Copying: COPY FROM STDIN that ends when its connection does.

asyncpg waits for ever where the server ends the session while the client may not write (measured: 25 of 25 times); here the end of
the connection lets it go on, to find that there is nobody to write to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any, Literal

import asyncpg


async def copy_from(
    connection: asyncpg.Connection[asyncpg.Record],
    table: str,
    source: AsyncIterable[bytes],
    *,
    columns: Sequence[str],
    format: Literal["text", "csv"],
    timeout_seconds: float | None = None,
) -> None:
    """Copy bytes in a format of COPY into a table; raises the driver's errors, also when the connection goes meanwhile."""
    lost = asyncio.Event()

    def on_end(ended: Any) -> None:
        lost.set()
        # The transport pauses the protocol and never resumes it once it is closed.
        ended._protocol.resume_writing()  # noqa: SLF001 - asyncpg has no other way to end the wait

    connection.add_termination_listener(on_end)
    try:
        await connection.copy_to_table(
            table, source=_until(lost, source), columns=columns, format=format, timeout=timeout_seconds
        )
    finally:
        connection.remove_termination_listener(on_end)


async def _until(lost: asyncio.Event, source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    async for piece in source:
        if lost.is_set():
            return
        yield piece
