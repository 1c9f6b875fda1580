"""TcpProxy: stands between a client and a server and makes the network misbehave on command.

Threads, not asyncio: a test's own loop may be the thing under test. Every wait ends at once when the proxy is closed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

Address = tuple[str, int] | str  # a host and port, or the path of a unix socket

CHUNK_BYTES = 65_536
POLL_SECONDS = 0.05


class TcpProxy:
    """Forwards connections from a loopback port (or a unix socket) to a target, until told to delay, pause, trickle or cut."""

    def __init__(self, target: Address, unix_path: str | Path | None = None) -> None:
        self._target = target
        self._unix_path = Path(unix_path) if unix_path is not None else None
        self._changed = threading.Condition()
        self._closed = False
        self._rules = _Rules()
        self._links: set[_Link] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._port = 0
        self._listen()

    @property
    def host(self) -> str:
        """Where clients connect, when the proxy listens on TCP."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port that clients connect to; 0 when the proxy listens on a unix socket."""
        return self._port

    @property
    def connections(self) -> int:
        """How many connections are forwarded now."""
        with self._changed:
            return len(self._links)

    def delay(self, seconds: float) -> None:
        """Hold back every chunk by this time, in each direction."""
        self._set(replace(self._rules, delay_seconds=seconds))

    def trickle(self, bytes_per_second: float) -> None:
        """Let through no more than this, in each direction of each connection."""
        self._set(replace(self._rules, bytes_per_second=bytes_per_second))

    def pause(self) -> None:
        """Go on accepting connections and forward nothing: what is sent waits."""
        self._set(replace(self._rules, paused=True))

    def cut(self) -> None:
        """Drop all connections and refuse new ones."""
        with self._changed:
            self._stop_listening()
            links = set(self._links)
        for link in links:
            link.drop()
        with self._changed:
            self._changed.wait_for(lambda: not self._links, timeout=5.0)

    def restore(self) -> None:
        """Forward as if nothing had happened; after a cut, listen again at the same address."""
        self._set(_Rules())
        if self._listener is None and not self._closed:
            self._listen()

    def close(self) -> None:
        """Drop everything and end all threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.cut()
        for thread in self._threads:
            thread.join(timeout=5.0)
        alive = [thread.name for thread in self._threads if thread.is_alive()]
        if alive:
            raise RuntimeError(f"TcpProxy: threads that did not end: {alive}")

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _set(self, rules: _Rules) -> None:
        with self._changed:
            self._rules = rules
            self._changed.notify_all()

    def _listen(self) -> None:
        if self._unix_path is not None:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self._unix_path))
        else:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self._port))
            self._port = listener.getsockname()[1]
        listener.listen(128)
        listener.settimeout(POLL_SECONDS)
        self._listener = listener
        self._start(self._accept, listener, name="tcp-proxy-accept")

    def _stop_listening(self) -> None:
        if self._listener is None:
            return
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        if self._unix_path is not None:
            self._unix_path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            client.setblocking(True)
            self._start(self._serve, client, listener, name="tcp-proxy-connect")

    def _serve(self, client: socket.socket, listener: socket.socket) -> None:
        try:
            server = _connect(self._target)
        except OSError:
            client.close()
            return
        link = _Link(client, server)
        with self._changed:
            refused = self._listener is not listener
            if not refused:
                self._links.add(link)
        if refused:
            link.drop()
            link.close()
            return
        backwards = self._start(self._pump, server, client, link, name="tcp-proxy-back")
        self._pump(client, server, link)
        backwards.join()
        link.close()
        with self._changed:
            self._links.discard(link)
            self._changed.notify_all()

    def _pump(self, source: socket.socket, sink: socket.socket, link: _Link) -> None:
        try:
            while chunk := source.recv(self._chunk_bytes()):
                if not self._hold(len(chunk), link):
                    break
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            link.drop()

    def _chunk_bytes(self) -> int:
        rate = self._rules.bytes_per_second
        # A tenth of a second's worth keeps a trickle even; at least a byte moves.
        return max(1, int(rate / 10)) if rate else CHUNK_BYTES

    def _hold(self, size_bytes: int, link: _Link) -> bool:
        """Wait as long as the rules in force ask for this chunk; False when the connection has gone meanwhile."""
        arrived = time.monotonic()
        with self._changed:
            while not (self._closed or link.dropped):
                rate = self._rules.bytes_per_second
                left = arrived + self._rules.delay_seconds + (size_bytes / rate if rate else 0.0) - time.monotonic()
                if left <= 0 and not self._rules.paused:
                    return True
                self._changed.wait(POLL_SECONDS if self._rules.paused else min(left, POLL_SECONDS))
        return False

    def _start(self, work: Callable[..., None], *arguments: object, name: str) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
        with self._changed:
            self._threads = [known for known in self._threads if known.is_alive() or known.ident is None]
            self._threads.append(thread)
        thread.start()
        return thread


@dataclass(frozen=True)
class _Rules:
    """How forwarding misbehaves now."""

    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    paused: bool = False


class _Link:
    """One forwarded connection: the client's socket and the server's."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets = (client, server)
        self.dropped = False

    def drop(self) -> None:
        """Wake both pumps; the sockets are closed when both have left."""
        self.dropped = True
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in self._sockets:
            end.close()


def _connect(target: Address) -> socket.socket:
    if isinstance(target, str):
        unix = socket.socket(socket.AF_UNIX)
        try:
            unix.connect(target)
        except OSError:
            unix.close()
            raise
        return unix
    server = socket.create_connection(target, timeout=5.0)
    server.settimeout(None)
    return server
