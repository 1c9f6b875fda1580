"""The one list of routes, for the console and for `serve`.

Owns the last route under `/api`, since Streamlit answers every unknown path with its page and status 200.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.api.answers import JSON, gzipped
from core.api.claude_routes import claude_specs
from core.api.endpoint import ASKING, PLAIN, Endpoint
from core.api.health_routes import health_specs
from core.api.openapi import openapi_document
from core.api.platform_routes import platform_specs
from core.api.problem import problem
from core.api.reach import GetReach
from core.api.spec import RouteSpec

BEST_LEVEL = 9


def build_routes(get_reach: GetReach, further: Sequence[BaseRoute] = ()) -> list[BaseRoute]:
    """Every route; `get_reach` is asked at each request, so that the list can be built before the services are."""
    specs = health_specs(get_reach) + platform_specs(get_reach) + claude_specs(get_reach)
    specs.append(_openapi_spec(specs))
    return [*(_route(spec, get_reach) for spec in specs), *further, *_unknown_routes(get_reach)]


def _route(spec: RouteSpec, get_reach: GetReach) -> Route:
    methods = ("GET", "HEAD") if spec.method == "GET" else (spec.method,)
    kind = ASKING if spec.asks_claude else PLAIN
    return Route(spec.path, Endpoint(spec.handler, spec.path, methods, lambda: get_reach().services.monitor, kind))


def _openapi_spec(specs: Sequence[RouteSpec]) -> RouteSpec:
    body = orjson.dumps(openapi_document(specs))
    packed = gzipped(body, BEST_LEVEL)

    async def document(request: Request) -> Response:
        headers = {"Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(packed, 200, {**headers, "Content-Encoding": "gzip"}, JSON)
        return Response(body, 200, headers, JSON)

    return RouteSpec("/api/openapi.json", document, "This document", {"type": "object"}, needs_servers=False)


def _unknown_routes(get_reach: GetReach) -> list[Route]:
    async def unknown(request: Request) -> Response:
        return problem(404, f"There is nothing at {request.url.path}.", "GET /api/openapi.json lists what there is.")

    endpoint = Endpoint(unknown, "unknown", (), lambda: get_reach().services.monitor)
    return [Route("/api", endpoint), Route("/api/{path:path}", endpoint)]
