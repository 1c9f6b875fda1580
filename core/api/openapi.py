"""OpenAPI: the document of all routes (OpenAPI 3.1), made from the specs that also serve them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from core import __version__
from core.api import claude_models, models
from core.api.problem import PROBLEM
from core.api.spec import RouteSpec

REFERENCE = "#/components/schemas/{model}"
ANSWERS: tuple[type[BaseModel], ...] = (
    models.Market, models.MarketDetailAnswer, models.LeadAnswer, models.LeadDetailAnswer, models.PropertyAnswer,
    models.EventsAnswer, models.MarkAnswer, models.Problem, claude_models.AnalysisAnswer, claude_models.DescriptionAnswer,
)  # fmt: skip
BODIES: tuple[type[BaseModel], ...] = (
    models.EventBatch, models.MarkBody, models.Interaction, models.AnalyticsEvent, claude_models.AskBody,
    claude_models.DescribedLeadBody,
)  # fmt: skip


def _header(description: str, pattern: str | None = None) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"} | ({"pattern": pattern} if pattern else {})}


X_CACHE = r"^((hit|negative); tier=(memory|redis)|(miss|stale)(; reason=[a-z]+)?|bypass)$"
CACHE_HEADERS = {
    "X-Cache": _header(
        "hit, negative (known to be absent), miss, stale (while a server is away) or bypass (no Redis).", X_CACHE
    ),
    "Age": _header("Seconds since the answer was read from the database.", "^[0-9]+$"),
    "Server-Timing": _header("Milliseconds in the cache and in all."),
    "X-Request-Id": _header("The caller's, or one of ours."),
}
CLAUDE_HEADERS = {
    "X-Cache": _header(
        "hit, miss, or stale (an expired answer in place of a failed call); absent where the rules stand alone.",
        r"^(hit; tier=(memory|redis)|(miss|stale)(; reason=[a-z_]+)?)$",
    ),
    "Age": _header("Seconds since the answer was kept; absent where the rules stand alone.", "^[0-9]+$"),
    "Server-Timing": _header("Milliseconds: claude-queue, claude-first-token and claude, or cache; and in all."),
    "X-Request-Id": CACHE_HEADERS["X-Request-Id"],
}
BODY_HEADERS = {"ETag": _header("Of the body; If-None-Match is answered 304."), "Cache-Control": _header("private, no-cache")}


def openapi_document(specs: Sequence[RouteSpec]) -> dict[str, Any]:
    """The document of these routes."""
    wanted = [(model, "serialization") for model in ANSWERS] + [(model, "validation") for model in BODIES]
    _, definitions = models_json_schema(wanted, ref_template=REFERENCE)  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for spec in specs:
        paths.setdefault(spec.path, {})[spec.method.lower()] = _operation(spec)
    info = {"title": "Lead platform", "version": __version__, "description": "Errors are RFC 9457 problem documents."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": definitions["$defs"]}}


def _operation(spec: RouteSpec) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": spec.summary, "operationId": _operation_id(spec), "responses": _responses(spec)}
    parameters = [_path_parameter(name) for name in re.findall(r"{(\w+)}", spec.path)] + _query_parameters(spec)
    if parameters:
        operation["parameters"] = parameters
    if spec.body is not None:
        operation["requestBody"] = {
            "required": spec.body_required,
            "content": {"application/json": {"schema": models.ref(spec.body)}},
        }
    return operation


def _operation_id(spec: RouteSpec) -> str:
    return f"{spec.method.lower()}_{re.sub(r'[^a-z]+', '_', spec.path).strip('_')}"


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(spec: RouteSpec) -> list[dict[str, Any]]:
    if spec.query is None:
        return []
    schema = spec.query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(item)}
        for name, item in schema["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query string has no null: a parameter is there or left out."""
    kept = [item for item in schema.get("anyOf", []) if item != {"type": "null"}]
    plain = {name: value for name, value in schema.items() if name not in ("anyOf", "default") or value is not None}
    if kept:
        plain.pop("anyOf", None)
        plain |= kept[0] if len(kept) == 1 else {"anyOf": kept}
    return plain


def _responses(spec: RouteSpec) -> dict[str, Any]:
    content = {spec.media_type: {"schema": spec.answer} if spec.answer is not None else {}}
    successes = {spec.status: spec.summary, **spec.also}
    responses: dict[str, Any] = {str(code): {"description": text, "content": content} for code, text in successes.items()}
    if spec.cached:
        responses["200"]["headers"] = {**CACHE_HEADERS, **BODY_HEADERS}
        responses["304"] = {"description": "The caller's copy holds.", "headers": {**CACHE_HEADERS, **BODY_HEADERS}}
    if spec.asks_claude:
        responses["200"]["headers"] = CLAUDE_HEADERS
    if spec.query is not None or spec.body is not None:
        responses["400"] = _problem("A parameter or the body is not what the route takes.")
    if spec.body is not None:
        responses["413"] = _problem("The body is too large.")
        responses["415"] = _problem("The body is not JSON.")
    if spec.not_found:
        responses["404"] = _problem("There is no such thing.") | ({"headers": CACHE_HEADERS} if spec.cached else {})
    if spec.forbidden:
        responses["403"] = _problem("The platform is only watched.")
    if spec.unreadable:
        responses["422"] = _problem("A field has a value that cannot be read; `detail` names each.")
    if spec.refusable:
        responses["429"] = _refusal("A limit is reached: the API's, our budget or the account's; `kind` says which.")
        responses["502"] = _problem("Claude gave nothing that can be used, and would again; `kind` says why.")
    if spec.unready:
        responses["503"] = {"description": "Not fine; the body says what is wrong.", "content": content}
    elif spec.refusable:
        responses["503"] = _refusal("A server that the route needs does not answer, or Claude cannot be had for now.")
    elif spec.needs_servers:
        responses["503"] = _problem("A server that the route needs does not answer.")
    return responses


def _refusal(description: str) -> dict[str, Any]:
    return _problem(description) | {"headers": {"Retry-After": _header("Seconds until it may help to ask again.", "^[0-9]+$")}}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": models.ref(models.Problem)}}}
