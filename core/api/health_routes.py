"""Health routes: alive, ready, the first line as a page, and the metrics."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from core import __version__
from core.api.answers import json_answer
from core.api.prometheus import exposition
from core.api.reach import GetReach
from core.api.spec import RouteSpec
from core.health import DependencyStatus
from core.platform.first_line import spoken
from core.platform.status import status_view
from core.platform.verdict import Verdict
from core.setup import SetupStep

UNCACHED = {"Cache-Control": "no-store"}
PROMETHEUS = "text/plain; version=0.0.4"
COLOURS = {"fine": "#1a7f4b", "not_fine": "#c0322f", "cannot_tell": "#a86a00", "warning": "#a86a00"}
OBJECT: dict[str, Any] = {"type": "object"}
LIST: dict[str, Any] = {"type": "array", "items": OBJECT}
STATUS: dict[str, Any] = {
    "type": "object",
    "required": ["at", "environment", "state", "reason", "dependencies", "promises", "incidents"],
    "properties": {
        "state": {"enum": ["fine", "not_fine", "cannot_tell"]}, "dependencies": LIST, "promises": LIST, "incidents": LIST
    },
}  # fmt: skip


def health_specs(get_reach: GetReach) -> list[RouteSpec]:
    """Every route that tells how the platform fares; none of them asks a server."""

    async def healthz(request: Request) -> Response:
        return json_answer(request, {"status": "ok", "version": __version__}, headers=UNCACHED)

    async def readyz(request: Request) -> Response:
        services = get_reach().services
        services.milestones.reach("readyz_asked")
        verdict, environment = services.overview.readiness(), services.overview.environment()
        body = {
            "ready": verdict.state == "fine",
            "reason": verdict.reason,
            "next_step": verdict.next_step,
            "environment": environment.name,
            "mode": environment.mode,
            "claude": "key" if services.settings.anthropic_api_key else "rehearsal",
            "dependencies": [_dependency(status) for status in services.health.snapshot()],
            "setup": [_step(step) for step in services.setup.snapshot()],
        }
        return json_answer(request, body, 200 if body["ready"] else 503, UNCACHED)

    async def status(_request: Request) -> Response:
        services = get_reach().services
        page = _status_page(services.promises.view().verdict, services.settings.environment)
        # As /readyz: whoever balances load by it must not take a slow process, or one without traffic, for one that is down.
        return HTMLResponse(page, 200 if services.overview.readiness().state == "fine" else 503, UNCACHED)

    async def status_json(request: Request) -> Response:
        services = get_reach().services
        environment, health = services.settings.environment, services.health.snapshot()
        view = status_view(environment, services.promises.view(), health, services.alerts.view())
        return json_answer(request, view, 200 if services.overview.readiness().state == "fine" else 503, UNCACHED)

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(exposition(get_reach().services), 200, UNCACHED, PROMETHEUS)

    return [
        RouteSpec("/healthz", healthz, "Alive", OBJECT, needs_servers=False),
        RouteSpec("/readyz", readyz, "Each dependency with its state and age", OBJECT, unready=True),
        RouteSpec("/status", status, "The first line as a small page", None, unready=True, media_type="text/html"),
        RouteSpec("/status.json", status_json, "First line, servers, promises and open incidents", STATUS, unready=True),
        RouteSpec("/metrics", metrics, "Prometheus text", None, needs_servers=False, media_type="text/plain"),
    ]


def _status_page(verdict: Verdict, environment: str) -> str:
    line = html.escape(spoken(verdict, "{:%Y-%m-%d %H:%M} UTC".format, datetime.now(UTC)))
    advice = f"<p><b>Next:</b> {html.escape(verdict.next_step)}</p>" if verdict.next_step else ""
    colour = COLOURS["warning" if verdict.warning else verdict.state]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="5"><title>{line}</title><style>body{{font-family:system-ui,sans-serif;'
        "max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
        f"h1{{color:{colour};font-size:1.6rem}}</style></head>"
        f"<body><h1>{line}</h1>{advice}<p>{html.escape(environment)}</p></body></html>"
    )


def _dependency(status: DependencyStatus) -> dict[str, object]:
    last = next((item for item in reversed(status.latencies_seconds) if item is not None), None)
    age = round((datetime.now(UTC) - status.checked_at).total_seconds(), 3) if status.checked_at else None
    return {
        "name": status.name,
        "where": status.where,
        "state": status.state,
        "since": status.since,
        "checked_at": status.checked_at,
        "age_seconds": age,
        "version": status.version,
        "latency_seconds": last,
        "error": status.error,
        "next_step": status.next_step,
    }


def _step(step: SetupStep) -> dict[str, object]:
    return {
        "name": step.name,
        "state": step.state,
        "detail": step.detail,
        "done": step.done,
        "total": step.total,
        "next_step": step.next_step,
    }
