"""The routes: alive, ready, and a 404 for what does not exist.

Owns the last route under `/api`, since Streamlit answers every unknown path with its page and status 200.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import __version__
from core.api.problem import problem
from core.health import DependencyStatus
from core.services import Services
from core.setup import SetupStep

GetServices = Callable[[], Services]


def build_routes(get_services: GetServices) -> list[Route]:
    """Every route; `get_services` is asked at each request, so that the list can be built before the services are."""

    async def healthz(_request: Request) -> Response:
        return _json(200, {"status": "ok", "version": __version__})

    async def readyz(_request: Request) -> Response:
        services = get_services()
        services.milestones.reach("readyz_asked")
        verdict = services.overview.verdict()
        environment = services.overview.environment()
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
        return _json(200 if body["ready"] else 503, body)

    async def unknown(request: Request) -> Response:
        return problem(404, f"There is nothing at {request.url.path}.", "GET /healthz and GET /readyz exist.")

    everything = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/api", unknown, methods=everything),
        Route("/api/{path:path}", unknown, methods=everything),
    ]


def _dependency(status: DependencyStatus) -> dict[str, object]:
    last = next((item for item in reversed(status.latencies_seconds) if item is not None), None)
    return {
        "name": status.name,
        "where": status.where,
        "state": status.state,
        "since": _time(status.since),
        "checked_at": _time(status.checked_at),
        "age_seconds": _age_seconds(status.checked_at),
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


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _age_seconds(moment: datetime | None) -> float | None:
    return round((datetime.now(UTC) - moment).total_seconds(), 3) if moment else None


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json", headers={"Cache-Control": "no-store"})
