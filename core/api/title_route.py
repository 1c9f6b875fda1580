"""TitleRoute: the first line for the browser's tab, `GET /api/first-line`; only the console has it, and it is not measured."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.api.answers import JSON
from core.api.reach import GetReach
from core.platform.first_line import tab_title


def title_route(get_reach: GetReach, base_path: str) -> Route:
    """Asked by every open tab every few seconds."""

    async def first_line(_request: Request) -> Response:
        title = tab_title(get_reach().services.promises.view().verdict, datetime.now(UTC))
        return Response(orjson.dumps({"title": title}), 200, {"Cache-Control": "no-store"}, JSON)

    return Route(f"{base_path}/api/first-line", first_line)
