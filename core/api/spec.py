"""RouteSpec: one route, said once: what serves it and what the OpenAPI document says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from core.api.endpoint import Handler


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A route; `answer` is the JSON schema of its success, None where `media_type` is not JSON.

    `unready` says that a 503 has the same body as a success, `needs_servers` that a 503 is a problem, `cached` that headers say
    what the cache did.
    """

    path: str
    handler: Handler
    summary: str
    answer: dict[str, Any] | None
    method: str = "GET"
    status: int = 200
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    not_found: bool = False
    forbidden: bool = False
    needs_servers: bool = True
    unready: bool = False
    cached: bool = False
    media_type: str = "application/json"
