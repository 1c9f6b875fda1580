"""Assets: files that a page's components load, named after their content and served compressed, to be kept for ever.

Owns their compression, done once at the first request. Refuses other names than those it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.api.answers import gzipped
from core.api.problem import problem

LEVEL = 6  # Level 9 takes four times as long for one percent.
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file under a name that changes with its content."""

    name: str
    path: Path
    media_type: str = "text/javascript"


def asset_route(assets: Sequence[Asset], base_path: str = "") -> Route:
    """`GET /assets/{name}`."""
    known = {asset.name: _Packed(asset) for asset in assets}

    async def serve(request: Request) -> Response:
        packed = known.get(request.path_params["name"])
        if packed is None:
            return problem(404, "There is no such asset.", "Reload the page: a new version has new names.")
        try:
            return await packed.response("gzip" in request.headers.get("accept-encoding", ""))
        except OSError as error:
            return problem(404, f"The asset cannot be read: {error.strerror}.", "Install the requirements again.")

    return Route(f"{base_path}/assets/{{name}}", serve)


class _Packed:
    def __init__(self, asset: Asset) -> None:
        self._asset = asset
        self._gzipped: bytes | None = None
        self._lock = asyncio.Lock()

    async def response(self, accepts_gzip: bool) -> Response:
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if not accepts_gzip:
            return Response(await asyncio.to_thread(self._asset.path.read_bytes), 200, headers, self._asset.media_type)
        async with self._lock:
            if self._gzipped is None:
                self._gzipped = await asyncio.to_thread(lambda: gzipped(self._asset.path.read_bytes(), LEVEL))
        return Response(self._gzipped, 200, {**headers, "Content-Encoding": "gzip"}, self._asset.media_type)
