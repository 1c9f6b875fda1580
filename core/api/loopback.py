"""LoopbackOnly: refuses every connection that does not come to a loopback address under a loopback name.

The console has no access control yet, so whoever reaches it may operate it. The address keeps other machines out however the
server was started; the name keeps out a web page that had its own host name point here (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from core.api.problem import problem
from core.settings import is_loopback

REFUSED = "This console answers only on a loopback address of its own machine, because no access control is configured."
NEXT_STEP = "Open it on that machine, or through an SSH tunnel: ssh -L 8501:127.0.0.1:8501 <machine>."


class LoopbackOnly:
    """Pure ASGI middleware for HTTP and websockets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on, or refuse it with 403."""
        if scope["type"] == "lifespan" or _allowed(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": REFUSED})
        else:
            await problem(403, REFUSED, NEXT_STEP)(scope, receive, send)


def _allowed(scope: Scope) -> bool:
    server = scope.get("server")
    if not server:
        return True  # A Unix socket: the file system decides.
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return _is_ours(server[0], host)


@lru_cache(maxsize=1024)
def _is_ours(server: str, host: bytes) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return True  # An in-process client has no address.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and is_loopback(_name(host.decode("latin-1")))


def _name(host: str) -> str:
    """The host without its port: `[::1]:80`, `127.0.0.1:80`, `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
