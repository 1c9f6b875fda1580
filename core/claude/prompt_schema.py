"""PromptSchema: whether a JSON schema is one that the API's structured outputs take.

Owns that check, so that a fault is found when a prompt is saved, not when it is paid for. Bounds (minimum, maxLength) pass:
the client writes them into the description, and whoever reads the answer checks them. Refuses what would change its meaning on
the way. Source: platform.claude.com/docs, structured outputs, JSON schema limitations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from core.errors import UsageError

SCHEMA_MAX_BYTES = 32_000  # The API compiles it into a grammar, which has a limit of its own.
MAX_DEPTH = 12
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
CHOICES = ("anyOf", "oneOf", "allOf")
BOUNDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "minItems", "maxItems", "uniqueItems",
)  # fmt: skip
WORDS = frozenset(
    ("type", "properties", "required", "additionalProperties", "items", "enum", "const", "format", "description", "title",
     "default", "examples", "$ref", "$defs", *CHOICES, *BOUNDS)
)  # fmt: skip


def parse_schema(text: str) -> Mapping[str, Any] | None:
    """The schema that a text holds, None for an empty one; raises UsageError."""
    if not text.strip():
        return None
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"The schema is no JSON: {error}.", "Correct the JSON at that place.") from error
    check_schema(schema)
    return dict(schema)


def check_schema(schema: Any) -> None:
    """Raise a UsageError that names the first fault and where it is."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        raise _fault("", 'is an object with "type": "object"')
    try:
        size_bytes = len(orjson.dumps(dict(schema)))
    except TypeError as error:
        raise _fault("", "holds JSON values only") from error
    if size_bytes > SCHEMA_MAX_BYTES:
        raise _fault("", f"has at most {SCHEMA_MAX_BYTES:,} bytes, not {size_bytes:,}")
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, Mapping):
        raise _fault("/$defs", "is an object of schemas")
    _check(schema, "", definitions, ())


def _check(schema: Any, where: str, definitions: Mapping[str, Any], within: tuple[str, ...], depth: int = 0) -> None:
    if not isinstance(schema, Mapping):
        raise _fault(where, "is an object")
    if depth > MAX_DEPTH:
        raise _fault(where, f"is nested at most {MAX_DEPTH} deep")
    if unknown := next((word for word in schema if word not in WORDS), None):
        raise _fault(f"{where}/{unknown}", "is a word that the API knows")
    if "$ref" in schema:
        _check_reference(schema["$ref"], where, definitions, within, depth)
        return
    _check_kind(schema, where)
    _check_object(schema, where)
    for place, part in _parts(schema):
        _check(part, f"{where}{place}", definitions, within, depth + 1)


def _check_reference(name: Any, where: str, definitions: Mapping[str, Any], within: tuple[str, ...], depth: int) -> None:
    key = name.removeprefix("#/$defs/") if isinstance(name, str) else ""
    if key not in definitions or f"#/$defs/{key}" != name:
        raise _fault(f"{where}/$ref", "names an entry of $defs: #/$defs/NAME")
    if key in within:
        raise _fault(f"{where}/$ref", f"does not lead back to itself ({key})")
    _check(definitions[key], f"/$defs/{key}", definitions, (*within, key), depth + 1)


def _check_kind(schema: Mapping[str, Any], where: str) -> None:
    literals = schema.get("enum")
    if "enum" in schema and (
        not isinstance(literals, list) or not literals or any(isinstance(v, dict | list) for v in literals)
    ):
        raise _fault(f"{where}/enum", "is a list of texts, numbers, booleans or null")
    choices = [word for word in CHOICES if word in schema]
    if len(choices) > 1 or any(not isinstance(schema[word], list) or not schema[word] for word in choices):
        raise _fault(where, "has one list of schemas under anyOf, oneOf or allOf")
    if "type" in schema:
        if not isinstance(schema["type"], str) or schema["type"] not in TYPES:
            raise _fault(f"{where}/type", f"is one of {', '.join(TYPES)}; for several use anyOf")
    elif not (choices or "enum" in schema or "const" in schema):
        raise _fault(where, "has a type, an enum, a const or an anyOf")


def _check_object(schema: Mapping[str, Any], where: str) -> None:
    if schema.get("additionalProperties", False) is not False:
        raise _fault(f"{where}/additionalProperties", "is false: the API allows nothing else")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, Mapping):
        raise _fault(f"{where}/properties", "is an object of schemas")
    if not isinstance(required, list) or any(name not in properties for name in required):
        raise _fault(f"{where}/required", "is a list of names of properties")


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, part in schema.get("properties", {}).items():
        yield f"/properties/{name}", part
    if "items" in schema:
        yield "/items", schema["items"]
    for word in CHOICES:
        for position, part in enumerate(schema.get(word, ())):
            yield f"/{word}/{position}", part


def _fault(where: str, rule: str) -> UsageError:
    return UsageError(f"The schema{f' at {where}' if where else ''} cannot be used: it {rule}.", "Correct the schema there.")
