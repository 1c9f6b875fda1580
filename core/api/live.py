"""Live: what the live charts poll, `GET /api/live?window=300&series=api_request_seconds`.

Owns the bytes: built once per fold of the recorder, or per answer of the history, for all who ask for the same, and not sent
to those who have them. Only the console has this route, and it is not measured: a chart that watches must not be what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.api.assets import Asset, asset_route
from core.api.live_marks import MarksFeed
from core.api.problem import problem
from core.api.reach import GetReach, Reach
from core.api.shared_body import SharedBody
from core.api.title_route import title_route
from core.errors import CoreError
from core.monitor import History, Recorder
from core.monitor.history.codec import StoredKey
from core.monitor.history.history import CHART_STEPS_SECONDS
from core.monitor.history.reader import HistoryView
from core.monitor.windows import WINDOWS_SECONDS

MAX_SERIES = 20  # A page has a handful of charts with a few lines each.
MAX_BODIES = 32
LABEL_SEPARATOR = "|"

ALL_PROCESSES = "all"

NEXT_STEP = (
    f"Ask for ?window={', ?window='.join(map(str, (*WINDOWS_SECONDS, *CHART_STEPS_SECONDS)))}, and for at most {MAX_SERIES}"
    f" &series=metric or &series=metric{LABEL_SEPARATOR}label; without series, for every metric. Windows of more than an hour"
    " take &process=, the number of one process."
)


def build_console_routes(get_reach: GetReach, assets: Sequence[Asset], base_path: str = "") -> list[BaseRoute]:
    """The routes that only the console has, under the path that the console is served under."""
    feed, history_feed = LiveFeed(), HistoryFeed()

    async def live(request: Request) -> Response:
        window, keys = request.query_params.get("window", "300"), request.query_params.getlist("series")
        process = request.query_params.get("process", ALL_PROCESSES)
        chosen, reach = tuple(sorted(set(keys))), get_reach()
        if len(keys) > MAX_SERIES or not (process == ALL_PROCESSES or (process.isdecimal() and len(process) < 19)):
            return problem(400, "There is no such process, or too many series.", NEXT_STEP)
        if window in map(str, WINDOWS_SECONDS):
            return feed.answer(reach.services.monitor, int(window), chosen, request)
        if window in map(str, CHART_STEPS_SECONDS):
            return await history_feed.answer(reach, (int(window), chosen, process), request)
        return problem(400, "There is no such window.", NEXT_STEP)

    return [
        Route(f"{base_path}/api/live", live),
        Route(f"{base_path}/api/marks/live", MarksFeed(get_reach).answer),
        title_route(get_reach, base_path),
        asset_route(assets, base_path),
    ]


class LiveFeed:
    """Answers polls out of bytes that all viewers share; runs on one loop."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, tuple[str, ...]], SharedBody] = {}
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
        return body.answer(stats.age_seconds, request)


class HistoryFeed:
    """Answers polls of more than the recorder's hour: the history keeps its answers, and here are their bytes."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, tuple[str, ...], str], tuple[HistoryView, SharedBody]] = {}

    async def answer(self, reach: Reach, asked: tuple[int, tuple[str, ...], str], request: Request) -> Response:
        """The body, or 304 for who has it; `Age` says how many seconds ago the store answered."""
        window_seconds, keys, process = asked
        history, names = reach.services.history, keys or reach.services.monitor.metrics()
        wanted, of = [stored_key(name) for name in names], None if process == ALL_PROCESSES else int(process)
        try:
            charts = await reach.gate.call(history.charts(wanted, window_seconds, of))
        except CoreError as error:
            return problem(503, f"The history cannot be read: {error}", error.next_step)
        view, body = self._bodies.get(asked, (None, None))
        if view is not charts.view or body is None:
            if len(self._bodies) >= MAX_BODIES:
                self._bodies.clear()
            body = _body(window_seconds, dict(zip(names, charts.view.histories, strict=True)), charts.view)
            self._bodies[asked] = charts.view, body
        return body.answer(charts.age_seconds, request)


def stored_key(key: str) -> StoredKey:
    """A series as the route names it."""
    metric, *labels = key.split(LABEL_SEPARATOR)
    return metric, tuple(labels) or None


def _build(monitor: Recorder, window_seconds: int, keys: Sequence[str]) -> SharedBody:
    return _body(window_seconds, {key: _history(monitor, key, window_seconds) for key in keys})


def _body(window_seconds: int, histories: Mapping[str, History], view: HistoryView | None = None) -> SharedBody:
    of_view = {} if view is None else {"since": view.since, "processes": view.processes}
    series = {key: _series(item) for key, item in histories.items()}
    return SharedBody.of({"window_seconds": window_seconds, **of_view, "series": series})


def _history(monitor: Recorder, key: str, window_seconds: int) -> History:
    metric, labels = stored_key(key)
    return monitor.history(metric, window_seconds, labels)


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
