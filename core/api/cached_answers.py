"""CachedAnswers: answers of cached reads: memory on the route's own loop, then the gate; what the cache did stands in headers.

Owns those headers, so that the bodies are the cached bytes as they are.
"""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from core.api.answers import JSON
from core.api.packing import Packing
from core.api.problem import problem
from core.api.reach import GetReach
from core.cache.entry import ABSENT
from core.cache.read import CacheRead

# Leads are personal, so no shared cache may keep them; one's own asks with the entity tag whether its copy still holds.
CACHE_CONTROL = "private, no-cache"


class CachedAnswers:
    """Answers by cache key."""

    def __init__(self, get_reach: GetReach) -> None:
        self._get_reach = get_reach
        self._packing = Packing()

    async def answer(self, request: Request, key: str, missing: str, advice: str) -> Response:
        """The body behind a key, 304 for those who have it, or 404 with these sentences; raises DependencyError."""
        started = time.perf_counter()
        reach = self._get_reach()
        read = reach.services.cache.peek(key)
        if read is None:
            read = await reach.gate.call(reach.services.cache.fetch_read(key))
        headers = {
            "X-Cache": _said(read),
            "Age": str(int(read.age_seconds)),
            "Server-Timing": f"cache;dur={(time.perf_counter() - started) * 1000:.2f}",
        }
        if read.value is ABSENT:
            return problem(404, missing, advice, headers=headers)
        return self._body(request, key, read.value, headers)

    def _body(self, request: Request, key: str, body: bytes, headers: dict[str, str]) -> Response:
        asked = request.headers
        takes_gzip = "gzip" in asked.get("accept-encoding", "")
        packed = self._packing.of(key, body, gzip=takes_gzip)
        headers["Cache-Control"] = CACHE_CONTROL
        headers["ETag"] = packed.tag
        if packed.large:
            headers["Vary"] = "Accept-Encoding"
        if packed.tag in asked.get("if-none-match", ""):
            return Response(None, 304, headers)
        if takes_gzip and packed.gzip is not None:
            headers["Content-Encoding"] = "gzip"
            return Response(packed.gzip, 200, headers, JSON)
        return Response(body, 200, headers, JSON)


def _said(read: CacheRead) -> str:
    """`hit; tier=memory`, `negative; tier=redis`, `miss; reason=cold`, `stale; reason=slow`; `bypass`: Redis did not answer."""
    if read.outcome in ("hit", "negative"):
        return f"{'negative' if read.value is ABSENT else 'hit'}; tier={read.tier}"
    if read.outcome == "error":
        return "bypass"
    return f"{read.outcome}; reason={read.reason}" if read.reason else read.outcome
