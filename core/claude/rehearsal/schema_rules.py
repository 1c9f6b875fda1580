"""Schema rules: which JSON schemas the API takes for a structured output; the rest is a 400 that names the fault.

The words are those that the API answers with (BerriAI/litellm #20813, laravel/ai #715, agentjido/req_llm #302).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.claude.rehearsal.api_error import bad_request

_WHERE = "output_config.format.schema"
_REFUSED = {
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems", "prefixItems"),
    "object": ("minProperties", "maxProperties", "patternProperties"),
}
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
MOST_DEPTH = 50


def check_schema(schema: object) -> None:
    """Raise ApiError 400 for what the API does not take."""
    if not isinstance(schema, Mapping):
        raise bad_request(f"{_WHERE}: Input should be an object")
    _check(schema, schema, (), 0)


def _check(schema: object, root: Mapping[str, Any], references: tuple[str, ...], depth: int) -> None:
    if not isinstance(schema, Mapping):
        raise bad_request(f"{_WHERE}: a schema should be an object")
    if depth > MOST_DEPTH:
        raise bad_request(f"{_WHERE}: Schema is too complex")
    if (reference := schema.get("$ref")) is not None:
        _check_reference(reference, root, references, depth)
        return
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if not kinds and not any(word in schema for word in ("enum", "const", "anyOf", "oneOf", "allOf")):
        raise bad_request(f"{_WHERE}: Schema must have a 'type', an 'enum', a 'const', an 'anyOf' or an 'allOf'")
    for kind in kinds:
        _check_type(kind, schema)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        _check(part, root, references, depth + 1)
    for part in schema.get("properties", {}).values():
        _check(part, root, references, depth + 1)
    if "items" in schema:
        _check(schema["items"], root, references, depth + 1)


def _check_type(kind: str, schema: Mapping[str, Any]) -> None:
    if kind not in _TYPES:
        raise bad_request(f"{_WHERE}: {kind!r} is not a type")
    found = [word for word in _REFUSED.get(kind, ()) if word in schema]
    if len(found) == 1:
        raise bad_request(f"{_WHERE}: For '{kind}' type, property '{found[0]}' is not supported")
    if found:
        raise bad_request(f"{_WHERE}: For '{kind}' type, properties {', '.join(sorted(found))} are not supported")
    if kind == "array" and schema.get("minItems", 0) not in (0, 1):
        raise bad_request(f"{_WHERE}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise bad_request(f"{_WHERE}: For 'object' type, 'additionalProperties' must be explicitly set to false")


def _check_reference(reference: object, root: Mapping[str, Any], references: tuple[str, ...], depth: int) -> None:
    parts = str(reference).split("/")
    if len(parts) != 3 or parts[0] != "#" or parts[1] not in ("$defs", "definitions"):
        raise bad_request(f"{_WHERE}: only references into '#/$defs' are supported, not {reference!r}")
    if reference in references:
        raise bad_request(f"{_WHERE}: Recursive schemas are not supported")
    target = root.get(parts[1], {}).get(parts[2])
    if target is None:
        raise bad_request(f"{_WHERE}: {reference!r} points to nothing")
    _check(target, root, (*references, str(reference)), depth + 1)
