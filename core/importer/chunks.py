"""Chunks: the rows of a file in pieces that fit into memory, converted on a thread, one piece ahead of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from core.importer.converter import RowConverter, RowFault
from core.importer.plan import Reference
from core.importer.preview import Reading
from core.importer.source import Row, Source

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 4 * 1024 * 1024


@dataclass(slots=True)
class Chunk:
    """Some rows: lines for COPY, rejected rows with their reasons, and how far the file is read.

    Where rows refer to leads, `references` and `origins` go with the lines: what each refers to, and its row.
    """

    read: int = 0
    lines: list[str] = field(default_factory=list)
    rejected: list[tuple[Row, str]] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    origins: list[Row] = field(default_factory=list)
    bytes_read: int = 0
    notes: tuple[str, ...] = ()


async def chunks(reading: Reading) -> AsyncGenerator[Chunk, None]:
    """All rows of the file; raises ImportFileError where the file as a whole turns out to be damaged."""
    loop = asyncio.get_running_loop()
    # One thread of its own: it owns the open file, and what it allocates stays in one arena.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="import-rows")
    pieces = _chunks(reading)
    following = loop.run_in_executor(thread, next, pieces, None)
    try:
        while (chunk := await following) is not None:
            following = loop.run_in_executor(thread, next, pieces, None)
            yield chunk
    finally:
        # The thread ends the piece that it is at, then closes the file; nobody waits for it.
        following.cancel()
        thread.submit(pieces.close)
        thread.shutdown(wait=False)


def _chunks(reading: Reading) -> Generator[Chunk]:
    converter = RowConverter(reading.plan)
    with Source(reading.request.path, reading.dialect) as source:
        chunk, started_at = Chunk(), 0
        for number, row in enumerate(source, 1):
            chunk.read += 1
            try:
                lines, reference = converter.converted(row, number)
                if reference is not None:
                    chunk.references.append(reference)
                    chunk.origins.append(row)
                chunk.lines += lines
            except RowFault as fault:
                chunk.rejected.append((row, str(fault)))
            if chunk.read >= CHUNK_ROWS or source.characters_read - started_at > CHUNK_CHARACTERS:
                chunk.bytes_read = source.bytes_read
                yield chunk
                chunk, started_at = Chunk(), source.characters_read
        chunk.bytes_read, chunk.notes = source.bytes_read, tuple(source.notes)
        yield chunk
