"""Live: what the live charts poll, `GET /api/live?window=300&series=api_request_seconds`.

Owns the bytes: built once per fold of the recorder for all who ask for the same, and not sent to those who have them. Only
the console has this route, and it is not measured: a chart that watches must not be what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.api.answers import JSON, gzipped
from core.api.assets import Asset, asset_route
from core.api.problem import problem
from core.api.reach import GetReach
from core.monitor import History, Recorder
from core.monitor.windows import WINDOWS_SECONDS

MAX_SERIES = 20  # A page has a handful of charts with a few lines each.
MAX_BODIES = 32
LABEL_SEPARATOR = "|"

NEXT_STEP = (
    f"Ask for ?window={', ?window='.join(map(str, WINDOWS_SECONDS))}, and for at most {MAX_SERIES} &series=metric"
    f" or &series=metric{LABEL_SEPARATOR}label; without series, for every metric."
)


def build_console_routes(get_reach: GetReach, assets: Sequence[Asset], base_path: str = "") -> list[BaseRoute]:
    """The routes that only the console has, under the path that the console is served under."""
    feed = LiveFeed()

    async def live(request: Request) -> Response:
        window, keys = request.query_params.get("window", "300"), request.query_params.getlist("series")
        if window not in map(str, WINDOWS_SECONDS) or len(keys) > MAX_SERIES:
            return problem(400, "There is no such window, or too many series.", NEXT_STEP)
        return feed.answer(get_reach().services.monitor, int(window), tuple(sorted(set(keys))), request)

    return [Route(f"{base_path}/api/live", live), asset_route(assets, base_path)]


@dataclass(frozen=True, slots=True)
class _Body:
    plain: bytes
    packed: bytes
    tag: str


class LiveFeed:
    """Answers polls out of bytes that all viewers share; runs on one loop."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, tuple[str, ...]], _Body] = {}
        self._built_for: tuple[Recorder, int] | None = None

    def answer(self, monitor: Recorder, window_seconds: int, keys: tuple[str, ...], request: Request) -> Response:
        """The body, or 304 for who has it; `Age` says how many seconds ago the recorder last folded."""
        stats = monitor.stats()
        if self._built_for != (monitor, stats.folds) or len(self._bodies) >= MAX_BODIES:
            self._built_for = (monitor, stats.folds)
            self._bodies.clear()
        body = self._bodies.get((window_seconds, keys))
        if body is None:
            body = self._bodies[window_seconds, keys] = _build(monitor, window_seconds, keys or monitor.metrics())
        headers = {"Age": str(int(stats.age_seconds)), "Cache-Control": "no-cache", "ETag": body.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == body.tag:
            return Response(None, 304, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(body.packed, 200, {**headers, "Content-Encoding": "gzip"}, JSON)
        return Response(body.plain, 200, headers, JSON)


def _build(monitor: Recorder, window_seconds: int, keys: Sequence[str]) -> _Body:
    histories = {key: _history(monitor, key, window_seconds) for key in keys}
    plain = orjson.dumps({"window_seconds": window_seconds, "series": {key: _series(item) for key, item in histories.items()}})
    # The tag is of the content: in the long window nothing changes for ten seconds.
    return _Body(plain, gzipped(plain), f'"{hash(plain) & 0xFFFF_FFFF_FFFF:x}"')


def _history(monitor: Recorder, key: str, window_seconds: int) -> History:
    metric, *labels = key.split(LABEL_SEPARATOR)
    return monitor.history(metric, window_seconds, tuple(labels) or None)


def _series(history: History) -> dict[str, object]:
    return {
        "first_time": history.times[0],
        "step_seconds": history.step_seconds,
        "count": history.counts,
        "rate": history.rates,
        "p50": history.p50,
        "p95": history.p95,
        "p99": history.p99,
    }
