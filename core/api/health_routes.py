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
from core.platform.verdict import Verdict, headline
from core.setup import SetupStep

UNCACHED = {"Cache-Control": "no-store"}
PROMETHEUS = "text/plain; version=0.0.4"
COLOURS = {"fine": "#1a7f4b", "not_fine": "#c0322f", "cannot_tell": "#a86a00"}
OBJECT: dict[str, Any] = {"type": "object"}


def health_specs(get_reach: GetReach) -> list[RouteSpec]:
    """Every route that tells how the platform fares; none of them asks a server."""

    async def healthz(request: Request) -> Response:
        return json_answer(request, {"status": "ok", "version": __version__}, headers=UNCACHED)

    async def readyz(request: Request) -> Response:
        services = get_reach().services
        services.milestones.reach("readyz_asked")
        verdict, environment = services.overview.verdict(), services.overview.environment()
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
        verdict = services.overview.verdict()
        page = _status_page(verdict, services.settings.environment)
        return HTMLResponse(page, 200 if verdict.state == "fine" else 503, UNCACHED)

    async def metrics(_request: Request) -> Response:
        return PlainTextResponse(exposition(get_reach().services), 200, UNCACHED, PROMETHEUS)

    return [
        RouteSpec("/healthz", healthz, "Alive", OBJECT, needs_servers=False),
        RouteSpec("/readyz", readyz, "Each dependency with its state and age", OBJECT, unready=True),
        RouteSpec("/status", status, "The first line as a small page", None, unready=True, media_type="text/html"),
        RouteSpec("/metrics", metrics, "Prometheus text", None, needs_servers=False, media_type="text/plain"),
    ]


def _status_page(verdict: Verdict, environment: str) -> str:
    line = html.escape(headline(verdict, "{:%Y-%m-%d %H:%M:%S} UTC".format, _lasting))
    advice = f"<p><b>Next:</b> {html.escape(verdict.next_step)}</p>" if verdict.next_step else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="5"><title>{line}</title><style>body{{font-family:system-ui,sans-serif;'
        "max-width:40rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
        f"h1{{color:{COLOURS[verdict.state]};font-size:1.6rem}}</style></head>"
        f"<body><h1>{line}</h1>{advice}<p>{html.escape(environment)}</p></body></html>"
    )


def _lasting(since: datetime) -> str:
    return f"{int((datetime.now(UTC) - since).total_seconds())} s"


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
