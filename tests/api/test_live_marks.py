"""The marks of the live charts: shared bytes for each window, sent once, and no request of the platform's."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime
from core.api import build_console_routes, build_routes
from core.services import build_services
from core.settings import Settings
from tests.servers import execute
from tests.support import wait_until


def test_marks_are_polled_by_window(settings: Settings, database_url: str) -> None:
    """What lies in the window, 304 for who has it, a group for many, a problem for a window that there is not; not measured."""
    with runtime.use(build_services(settings)) as running:
        wait_until(running.services.setup.finished.is_set)
        client = TestClient(Starlette(routes=build_routes(runtime.get, build_console_routes(runtime.get, []))))
        execute(
            database_url,
            "INSERT INTO console.marks (kind, text, marked_by, marked_at)"
            " SELECT 'note', n::text, 'ann', now() - make_interval(mins => n) FROM generate_series(1, 1000) AS n",
        )

        def asked(window: object, **headers: str) -> Any:
            return client.get(f"/api/marks/live?window={window}", headers=headers)

        first = asked(300)
        assert [mark["text"] for mark in first.json()["marks"]] == ["4", "3", "2", "1"]
        assert first.json()["marks"][0] | {"at": 0} == {"kind": "note", "text": "4", "at": 0, "who": "ann"}
        assert asked(300, **{"If-None-Match": first.headers["ETag"]}).status_code == 304
        day = asked(86_400).json()
        assert (day["total"], sum(mark.get("count", 1) for mark in day["marks"])) == (1_000, 1_000)
        assert len(day["marks"]) <= 240
        assert [asked(window).status_code for window in (59, "x", -1, "%00", 10**9)] == [400] * 5
        assert "from 60 to" in asked(59).json()["next_step"]
        assert running.services.monitor.metrics().count("api_request_seconds") == 0
