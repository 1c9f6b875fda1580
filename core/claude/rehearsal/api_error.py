"""ApiError: a refusal in the API's own words; inside the rehearsal only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import orjson

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "api_error",
    "overloaded_error",
]
Headers = list[tuple[bytes, bytes]]


class ApiError(Exception):
    """A status with the type and message that the API sends; `headers` come on top of every answer's."""

    def __init__(self, status: int, kind: ErrorType, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.kind: ErrorType = kind
        self.headers = headers

    def body(self, request_id: str) -> bytes:
        """The JSON of the answer."""
        error = {"details": None, "type": self.kind, "message": str(self)}
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def bad_request(message: str) -> ApiError:
    """400: the body is at fault."""
    return ApiError(400, "invalid_request_error", message)
