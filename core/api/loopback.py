"""LoopbackOnly: refuses every connection that does not come to a loopback address under a loopback name.

The console has no access control yet, so whoever reaches it may operate it. The address keeps other machines out however the
server was started; the name keeps out a web page that had its own host name point here (DNS rebinding).
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
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
    try:
        address = ipaddress.ip_address(server[0]) if server else None
    except ValueError:
        address = None
    if address is None:
        return True  # A Unix socket or an in-process client: the file system or the caller decides.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and is_loopback(_name(Headers(scope=scope).get("host", "")))


def _name(host: str) -> str:
    """The host without its port: `[::1]:80`, `127.0.0.1:80`, `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
