"""Problem: errors as RFC 9457 `application/problem+json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

PROBLEM = "application/problem+json"


class Invalid(Exception):
    """A request that cannot be answered as it is: its status, its one sentence and what is wrong where."""

    def __init__(self, detail: str, status: int = 400, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors


def problem(
    status: int,
    detail: str,
    next_step: str = "",
    errors: Sequence[dict[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    kind: str = "",
) -> Response:
    """An error answer; `next_step` says what the caller can do, `errors` what is wrong where, `kind` which error of Claude."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if next_step:
        body["next_step"] = next_step
    if kind:
        body["kind"] = kind
    if errors:
        body["errors"] = list(errors)
    return Response(orjson.dumps(body), status, headers, PROBLEM)
