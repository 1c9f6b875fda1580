"""Live marks: what the live charts draw on their time axis, `GET /api/marks/live?window=300`.

Owns the bytes: built once for each window and change of the marks, for all who look, and not sent to those who have them. Only
the console has this route, and it is not measured, as `GET /api/live` is not.
"""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from core.api.problem import problem
from core.api.reach import GetReach
from core.api.shared_body import SharedBody
from core.monitor.marks.mark import Mark, grouped
from core.monitor.marks.marks import MarksView

MARKS_MOST = 240  # More cannot be told apart on a chart of a thousand pixels.
WINDOW_LEAST_SECONDS, WINDOW_MOST_SECONDS = 60, 14 * 86_400
BODIES_MOST = 16
OLD_SECONDS = 10.0  # Nobody has looked for so long: who comes now waits for what there is.
NEXT_STEP = f"Ask for ?window=, in seconds from {WINDOW_LEAST_SECONDS} to {WINDOW_MOST_SECONDS}."


class MarksFeed:
    """Answers polls out of bytes that all viewers share; runs on one loop."""

    def __init__(self, get_reach: GetReach) -> None:
        self._get_reach = get_reach
        self._version: int | None = None
        self._bodies: dict[int, tuple[SharedBody, float]] = {}

    async def answer(self, request: Request) -> Response:
        """The body, or 304 for who has it; `Age` says how many seconds ago the store answered."""
        asked = request.query_params.get("window", "300")
        window = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 0
        if not WINDOW_LEAST_SECONDS <= window <= WINDOW_MOST_SECONDS:
            return problem(400, "There is no such window.", NEXT_STEP)
        reach = self._get_reach()
        view = reach.services.marks.look()
        if not view.error and (view.age_seconds is None or view.age_seconds > OLD_SECONDS):
            view = await reach.gate.call(reach.services.marks.view())
        return self._body(view, window).answer(view.age_seconds, request)

    def _body(self, view: MarksView, window: int) -> SharedBody:
        """For a change of the marks, and again when so much of the window has passed that some may have left it."""
        now = time.time()
        if self._version != view.version or len(self._bodies) >= BODIES_MOST:
            self._version = view.version
            self._bodies.clear()
        body, built_at = self._bodies.get(window, (None, 0.0))
        if body is None or not 0 <= now - built_at <= window / 10:
            body = _build(view, window, now)
            self._bodies[window] = body, now
        return body


def _build(view: MarksView, window: int, now: float) -> SharedBody:
    found = view.between(now - window, now + 1)
    marks = [_told(mark) for mark in grouped(found, now - window, now, MARKS_MOST)]
    return SharedBody.of({"window_seconds": window, "total": len(found), "marks": marks})


def _told(mark: Mark) -> dict[str, object]:
    told: dict[str, object] = {"kind": mark.kind, "text": mark.text, "at": round(mark.at, 3)}
    more = {"level": mark.level, "who": mark.who, "link": mark.link, "running": mark.running}
    told |= {name: value for name, value in more.items() if value}
    if mark.end is not None:
        told["end"] = round(mark.end, 3)
    if mark.count > 1:
        told["count"] = mark.count
    return told
