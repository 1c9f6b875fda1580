"""A loopback server of bytes: plays a script to each connection, and says when the client has hung up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Play = Callable[[asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nrequest-id: req_raw\r\n\r\n"


@dataclass
class ByteServer:
    """Where it listens, and what it saw."""

    url: str = ""
    requests: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


def chunk(data: bytes) -> bytes:
    """One piece of a body whose length is not known."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@asynccontextmanager
async def byte_server(play: Play) -> AsyncIterator[ByteServer]:
    """A server that reads a request, plays, and waits for the client to hang up unless the play closed the connection."""
    seen = ByteServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            seen.requests += 1
            await play(writer)
            if not writer.is_closing():
                await reader.read()
                seen.hung_up.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            seen.hung_up.set()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield seen
    finally:
        server.close()
