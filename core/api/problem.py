"""Problem: errors as RFC 9457 `application/problem+json`."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from starlette.responses import Response


def problem(status: int, detail: str, next_step: str = "") -> Response:
    """An error answer; `next_step` says what the caller can do."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if next_step:
        body["next_step"] = next_step
    return Response(orjson.dumps(body), status, media_type="application/problem+json")
