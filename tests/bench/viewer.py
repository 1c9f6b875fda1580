"""Viewers of a page as a process of its own: what many browsers ask of the console, without their drawing.

Each one opens the websocket, runs the page, asks for its fragments anew by its own timers as Streamlit's script does, and polls
what the scripts of `core/ui/assets` poll. `python -m tests.bench.viewer PORT PAGE COUNT` says when every one of them has the
page, watches until stdin ends, and prints what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urlencode

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# As in live_chart.js (the window of five minutes), live_marks.js and tab_title.js.
LIVE_SECONDS, MARKS_SECONDS, TITLE_SECONDS = 2.0, 5.0, 10.0
OPENING_SECONDS = 10.0  # People do not come at once, so their timers do not fire at once either.
SETTLING_SECONDS = 2.0  # After the last first run: what the first one of a page costs is not of this measurement.


@dataclass
class Seen:
    """What all viewers of this process got."""

    runs: int = 0
    ticks: int = 0
    polls: int = 0
    unchanged: int = 0
    messages: int = 0
    bytes: int = 0
    failures: list[str] = field(default_factory=list)


class Viewer:
    """One browser tab."""

    def __init__(self, port: int, page: str, seen: Seen) -> None:
        self._port, self._name, self._seen = port, page, seen
        self._page = ""
        self._series: set[str] = set()
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._hashes: set[str] = set()
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def watch(self) -> None:
        """Look at the page until it is cancelled."""
        url = f"ws://127.0.0.1:{self._port}/_stcore/stream"
        polls: tuple[tuple[Callable[[], str], float], ...] = (
            (self._live, LIVE_SECONDS),
            (lambda: "/api/marks/live?window=300" if self._series else "", MARKS_SECONDS),
            (lambda: "/api/first-line", TITLE_SECONDS),
        )
        async with websockets.connect(url, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
            polling = [asyncio.create_task(self._poll(path, seconds)) for path, seconds in polls]
            try:
                await self._ask(socket)
                async for data in socket:
                    assert isinstance(data, bytes)
                    self._took(socket, data)
            finally:
                self._seen.failures += [repr(task.exception()) for task in polling if task.done() and not task.cancelled()]
                for task in (*polling, *self._timers.values()):
                    task.cancel()
                if self._connection is not None:
                    self._connection[1].close()

    def _took(self, socket: websockets.ClientConnection, data: bytes) -> None:
        message = ForwardMsg.FromString(data)
        self._seen.messages += 1
        self._seen.bytes += len(data)
        if message.metadata.cacheable:
            self._hashes.add(message.hash)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:  # A run of the whole page sets its timers anew.
                self._forget_timers()
        elif kind == "auto_rerun":
            self._set_timer(socket, message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._forget_timers()
        elif kind == "script_finished":
            self._seen.runs += 1
        elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "bidi_component":
            for line in json.loads(message.delta.new_element.bidi_component.json or "{}").get("lines", []):
                self._series |= {name for name in (line["series"], line["rest"]) if name}

    def _set_timer(self, socket: websockets.ClientConnection, fragment: str, seconds: float) -> None:
        if (old := self._timers.pop(fragment, None)) is not None:
            old.cancel()
        self._timers[fragment] = asyncio.create_task(self._tick(socket, fragment, seconds))

    def _forget_timers(self) -> None:
        for task in self._timers.values():
            task.cancel()
        self._timers.clear()

    async def _tick(self, socket: websockets.ClientConnection, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self._seen.ticks += 1
            await self._ask(socket, fragment)

    async def _ask(self, socket: websockets.ClientConnection, fragment: str = "") -> None:
        asked = BackMsg()
        state = asked.rerun_script
        state.fragment_id, state.is_auto_rerun, state.page_script_hash = fragment, bool(fragment), self._page
        if not fragment:
            state.page_name = self._name
        state.cached_message_hashes.extend(self._hashes)
        context = state.context_info
        context.timezone, context.locale, context.color_scheme = "America/Chicago", "en-US", "light"
        context.url = f"http://127.0.0.1:{self._port}/{self._name}"
        await socket.send(asked.SerializeToString())

    def _live(self) -> str:
        series = [("series", name) for name in sorted(self._series)]
        return f"/api/live?{urlencode([('window', '300'), *series])}" if series else ""

    async def _poll(self, path: Callable[[], str], seconds: float) -> None:
        tags: dict[str, str] = {}
        while True:
            await asyncio.sleep(seconds)
            if asked := path():
                async with self._one_at_a_time:
                    await self._get(asked, tags)

    async def _get(self, path: str, tags: dict[str, str]) -> None:
        reader, writer = await self._connected()
        known = f"If-None-Match: {tags[path]}\r\n" if path in tags else ""
        host = f"Host: 127.0.0.1:{self._port}"
        writer.write(f"GET {path} HTTP/1.1\r\n{host}\r\nAccept-Encoding: gzip\r\n{known}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
        await reader.readexactly(int(headers.get("content-length", 0)))
        status = int(head.split(" ", 2)[1])
        if "etag" in headers:
            tags[path] = headers["etag"]
        self._seen.polls += 1
        self._seen.unchanged += status == 304
        if status not in (200, 304):
            self._seen.failures.append(f"{path} answered {status}")

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection of all polls; another one where the server has closed it, which it does after 5 s of silence."""
        if self._connection is None or self._connection[0].at_eof():
            self._connection = await asyncio.open_connection("127.0.0.1", self._port)
        return self._connection


async def watch(port: int, page: str, count: int, over: asyncio.Event) -> Seen:
    """Have many of them look at a page until it is over."""
    seen = Seen()

    async def one(number: int) -> None:
        await asyncio.sleep(OPENING_SECONDS * number / count)
        try:
            await Viewer(port, page, seen).watch()
            seen.failures.append("the server closed the websocket")
        except (OSError, websockets.WebSocketException) as error:
            seen.failures.append(repr(error))

    viewers = [asyncio.create_task(one(number)) for number in range(count)]
    while seen.runs < count and not seen.failures:
        await asyncio.sleep(SETTLING_SECONDS)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    await over.wait()
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    return seen


async def _main(port: str, page: str, count: str) -> None:
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), over.set)  # Its end can be read, too.
    seen = await watch(int(port), page, int(count), over)
    sys.stdout.write(json.dumps(asdict(seen)) + "\n")


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
