"""OpenAPI: the document of all routes (OpenAPI 3.1), made from the specs that also serve them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from core import __version__
from core.api import models
from core.api.problem import PROBLEM
from core.api.spec import RouteSpec

REFERENCE = "#/components/schemas/{model}"
ANSWERS: tuple[type[BaseModel], ...] = (
    models.Market, models.MarketDetailAnswer, models.LeadAnswer, models.LeadDetailAnswer, models.PropertyAnswer,
    models.EventsAnswer, models.MarkAnswer, models.Problem,
)  # fmt: skip
BODIES: tuple[type[BaseModel], ...] = (models.EventBatch, models.MarkBody, models.Interaction, models.AnalyticsEvent)


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
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": models.ref(spec.body)}}}
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
    responses: dict[str, Any] = {str(spec.status): {"description": spec.summary, "content": content}}
    if spec.query is not None or spec.body is not None:
        responses["400"] = _problem("A parameter or the body is not what the route takes.")
    if spec.body is not None:
        responses["413"] = _problem("The body is too large.")
        responses["415"] = _problem("The body is not JSON.")
    if spec.not_found:
        responses["404"] = _problem("There is no such thing.")
    if spec.forbidden:
        responses["403"] = _problem("The platform is only watched.")
    if spec.unready:
        responses["503"] = {"description": "Not fine; the body says what is wrong.", "content": content}
    elif spec.needs_servers:
        responses["503"] = _problem("A server that the route needs does not answer.")
    return responses


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": models.ref(models.Problem)}}}
