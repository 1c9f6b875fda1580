"""The proxy that makes the network misbehave: each fault does what its name says, and nothing is left behind."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support import wait_until
from tests.tcp_proxy import Address, TcpProxy


@contextlib.contextmanager
def echo_server(unix_path: str | None = None) -> Iterator[Address]:
    """A server that sends back what it gets."""
    listener = socket.socket(socket.AF_UNIX if unix_path else socket.AF_INET)
    listener.bind(unix_path or ("127.0.0.1", 0))
    listener.listen()
    threads: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                connection.sendall(data)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=answer, args=(listener.accept()[0],)))
                threads[-1].start()

    threads.append(threading.Thread(target=accept))
    threads[0].start()
    try:
        yield unix_path or listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join(5.0)


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """A proxy in front of an echo server."""
    with echo_server() as address, TcpProxy(address) as proxy:
        yield proxy


def connect(proxy: TcpProxy, timeout_seconds: float = 5.0) -> socket.socket:
    """A client's connection."""
    return socket.create_connection((proxy.host, proxy.port), timeout=timeout_seconds)


def echoed(connection: socket.socket, data: bytes) -> bytes:
    """What comes back for these bytes."""
    connection.sendall(data)
    received = b""
    while len(received) < len(data) and (more := connection.recv(65_536)):
        received += more
    return received


def test_forwards_both_ways(proxy):
    """What goes in comes out unchanged, also when it is larger than one chunk."""
    data = bytes(range(256)) * 2_000
    with connect(proxy) as connection:
        assert echoed(connection, data) == data
    wait_until(lambda: proxy.connections == 0)


def test_forwards_between_unix_sockets(tmp_path):
    """A unix socket can stand on either side."""
    target, front = str(tmp_path / "target"), tmp_path / "front"
    with echo_server(target) as address, TcpProxy(address, unix_path=front), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(front))
        assert echoed(connection, b"over unix") == b"over unix"
    assert not front.exists()


def test_delay_slows_every_exchange(proxy):
    """A delay holds each direction, and restore ends it for connections that exist."""
    with connect(proxy) as connection:
        proxy.delay(0.1)
        started = time.monotonic()
        assert echoed(connection, b"slow") == b"slow"
        assert time.monotonic() - started >= 0.2
        proxy.restore()
        started = time.monotonic()
        assert echoed(connection, b"fast") == b"fast"
        assert time.monotonic() - started < 0.1


def test_cut_drops_and_refuses_until_restored(proxy):
    """A cut ends what is open and refuses what is new; restore listens at the same port."""
    with connect(proxy) as connection:
        assert echoed(connection, b"before") == b"before"
        proxy.cut()
        assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.restore()
    with connect(proxy) as connection:
        assert echoed(connection, b"after") == b"after"


def test_pause_accepts_and_forwards_nothing(proxy):
    """While paused a client connects and gets no answer; restored, the answer arrives."""
    proxy.pause()
    with connect(proxy, timeout_seconds=0.2) as connection:
        connection.sendall(b"held")
        with pytest.raises(TimeoutError):
            connection.recv(4)
        proxy.restore()
        connection.settimeout(5.0)
        assert connection.recv(4) == b"held"


def test_trickle_limits_the_rate(proxy):
    """A trickle lets through about the bytes per second that were asked for."""
    with connect(proxy) as connection:
        proxy.trickle(4_000)
        started = time.monotonic()
        assert len(echoed(connection, b"x" * 2_000)) == 2_000
        assert 0.4 <= time.monotonic() - started < 3.0


def test_an_unreachable_target_ends_the_connection(tmp_path):
    """A client of a target that is down is dropped, not held."""
    with TcpProxy(str(tmp_path / "nobody")) as proxy, connect(proxy) as connection:
        assert connection.recv(1) == b""


def test_close_leaves_no_thread_and_no_connection():
    """Closing ends paused and idle connections and every thread."""
    before = set(threading.enumerate())
    with echo_server() as address:
        proxy = TcpProxy(address)
        with connect(proxy) as idle, connect(proxy) as held:
            wait_until(lambda: proxy.connections == 2)
            proxy.pause()
            held.sendall(b"held")
            proxy.close()
            assert idle.recv(1) == b""
    assert set(threading.enumerate()) <= before
