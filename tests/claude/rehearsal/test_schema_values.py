"""Schema answers: every drawn value fits its schema, judged by a validator that we did not write."""

from __future__ import annotations

import random
from typing import Any

import anthropic
import jsonschema
import orjson
import pytest

from core.claude.rehearsal import Dials
from core.claude.rehearsal.schema_values import schema_value
from tests.claude.rehearsal.rehearsing import Rehearsing, text_of

ANALYSIS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score", "timeline", "steps", "owner", "share"],
    "properties": {
        "score": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How likely they buy."},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "timeline": {"enum": ["now", "soon", "later"]},
        "steps": {"type": "array", "minItems": 2, "maxItems": 4, "items": {"$ref": "#/$defs/step"}},
        "owner": {"anyOf": [{"type": "string", "maxLength": 12}, {"type": "null"}]},
        "note": {"type": "string"},
    },
    "$defs": {
        "step": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}, "by": {"type": "string", "format": "date"}},
            "required": ["text"],
        }
    },
}

SCHEMAS: list[dict[str, Any]] = [
    ANALYSIS,
    {"const": {"a": [1, None]}},
    {"enum": [None]},
    {"type": ["integer", "null"], "minimum": -5, "maximum": -2},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "integer", "minimum": 7, "multipleOf": 7},
    {"type": "integer", "maximum": -40},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1},
    {"type": "number", "minimum": 1_000_000},
    {"type": "string", "minLength": 90, "maxLength": 95},
    {"type": "string", "maxLength": 0},
    *({"type": "string", "format": name} for name in ("date-time", "date", "email", "ipv4", "ipv6", "uri", "uuid")),
    {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}, "uniqueItems": True, "minItems": 9},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": False, "minItems": 2},
    {"type": "array", "maxItems": 0, "items": {"type": "string"}},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]}, {"required": ["b"]}]},
    {"type": "object", "required": ["unnamed"]},
    {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    {"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object", "required": ["name", "parent"],
        "properties": {
            "name": {"type": "string"},
            "parent": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 1},
        },
    }}},
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: orjson.dumps(schema).decode()[:60])
def test_value_fits_its_schema(schema: dict[str, Any]) -> None:
    """Whatever the seed; the same seed gives the same value."""
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for seed in range(40):
        value = schema_value(schema, random.Random(seed))
        assert [error.message for error in validator.iter_errors(value)] == []
        assert schema_value(schema, random.Random(seed)) == value


def test_values_differ_from_seed_to_seed() -> None:
    """Else every lead would score the same."""
    scores = {schema_value(ANALYSIS, random.Random(seed))["score"] for seed in range(40)}
    assert len(scores) > 15


async def test_bounds_that_the_vendor_moves_into_the_description_are_kept() -> None:
    """The API's grammar has no bounds: its client writes them into the description, and the answer still keeps them."""
    rehearsing = Rehearsing(Dials())
    moved = anthropic.transform_schema(ANALYSIS)
    assert "minimum" not in moved["properties"]["score"]
    for number in range(20):
        output = {"format": {"type": "json_schema", "schema": moved}}
        message = await rehearsing.ask(f"Lead {number}", output_config=output)
        jsonschema.validate(orjson.loads(text_of(message)), ANALYSIS)


async def test_truncated_json_is_cut_like_any_text() -> None:
    """What a client must notice: the text is no JSON, and the stop reason says why."""
    output = {"format": {"type": "json_schema", "schema": anthropic.transform_schema(ANALYSIS)}}
    message = await Rehearsing(Dials()).ask(output_config=output, max_tokens=10)
    assert message.stop_reason == "max_tokens"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text_of(message))
