"""RouteSpec: one route, said once: what serves it and what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from core.api.endpoint import Handler


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A route; `answer` is the JSON schema of its success, None where `media_type` is not JSON.

    `unready` says that a 503 has the same body as a success, `needs_servers` that a 503 is a problem, `cached` that headers say
    what the cache did. `asks_claude` adds how the answer came about, `refusable` that there may be none, `unreadable` that a
    body of the right form may still say nothing that can be read, `also` which other successes have the same body.
    """

    path: str
    handler: Handler
    summary: str
    answer: dict[str, Any] | None
    method: str = "GET"
    status: int = 200
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    not_found: bool = False
    forbidden: bool = False
    needs_servers: bool = True
    unready: bool = False
    cached: bool = False
    asks_claude: bool = False
    refusable: bool = False
    unreadable: bool = False
    also: Mapping[int, str] = field(default_factory=dict)
    media_type: str = "application/json"
