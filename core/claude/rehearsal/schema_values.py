"""Schema values: a value that fits a JSON schema, drawn from a seeded chance.

Owns the drawing only: `schema_rules` refuses what the API refuses. Bounds are kept where they stand in the schema, and
where the vendor's client has moved them: into the description, as "{minimum: 1, maximum: 100}".
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

MOST_DEPTH = 6  # From here on optional fields are left out and the plainest variant is taken: a recursive schema ends.
_BOUND = re.compile(
    r"(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|minLength|maxLength|minItems|maxItems): (-?[\d.]+)"
)
_FORMATS = {
    "date-time": "2026-11-02T09:30:00Z",
    "date": "2026-11-02",
    "time": "09:30:00Z",
    "duration": "P3D",
    "email": "rehearsal@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/rehearsal",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_ORDER = ("null", "boolean", "integer", "number", "string", "array", "object")
_KEYWORD_TYPES = {"properties": "object", "items": "array", "minimum": "number", "minLength": "string"}


def schema_value(schema: Schema, chance: random.Random) -> Any:
    """A value that fits this schema."""
    return _Drawing(schema, chance).value(schema, "rehearsal", 0)


class _Drawing:
    """One value under way; `root` is where references point into."""

    def __init__(self, root: Schema, chance: random.Random) -> None:
        self._root = root
        self._chance = chance

    def value(self, given: Schema | bool, name: str, depth: int) -> Any:
        """A value for a part of the schema that stands under this name."""
        schema = self._plain(given)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self.value(self._variant(schema, word, depth), name, depth + 1)
        kind = self._type(schema, depth)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "string":
            return self._string(schema, name)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        return self._chance.random() < 0.5 if kind == "boolean" else None

    def _plain(self, given: Schema | bool) -> dict[str, Any]:
        """The schema with its references and allOf taken in, and with the bounds of its description."""
        if isinstance(given, bool):
            return {"type": "string"}
        schema = dict(given)
        while (reference := schema.pop("$ref", None)) is not None:
            schema = {**_pointed(self._root, reference), **schema}
        for part in schema.pop("allOf", ()):
            schema = _merged(schema, self._plain(part))
        bounds = {word: float(number.rstrip(".")) for word, number in _BOUND.findall(str(schema.get("description", "")))}
        return {**bounds, **schema}

    def _variant(self, schema: dict[str, Any], word: str, depth: int) -> Schema:
        rest = {name: part for name, part in schema.items() if name != word}
        variants = [_merged(rest, self._plain(variant)) for variant in schema[word]]
        return min(variants, key=_weight) if depth >= MOST_DEPTH else self._chance.choice(variants)

    def _type(self, schema: Schema, depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, str):
            return kind
        if isinstance(kind, Sequence):
            return min(kind, key=_ORDER.index) if depth >= MOST_DEPTH else str(self._chance.choice(kind))
        return next((found for keyword, found in _KEYWORD_TYPES.items() if keyword in schema), "string")

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        parts = schema.get("properties", {})
        value = {
            name: self.value(part, name, depth + 1)
            for name, part in parts.items()
            if name in required or depth < MOST_DEPTH
        }  # fmt: skip
        return value | {name: "rehearsal" for name in required if name not in parts}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        fixed = list(schema.get("prefixItems", ()))
        fewest = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(fewest, len(fixed), 3)))
        wanted = max(fewest, len(fixed))
        if depth < MOST_DEPTH:
            wanted = self._chance.randint(min(max(wanted, 1), most), most)
        items = schema.get("items", True)
        values: list[Any] = [self.value(part, name, depth + 1) for part in fixed[:most]]
        for _ in range(wanted * 20):
            if len(values) >= wanted or items is False:
                break
            value = self.value(items, f"{name} {len(values) + 1}", depth + 1)
            if not schema.get("uniqueItems") or value not in values:
                values.append(value)
        return values

    def _string(self, schema: Schema, name: str) -> str:
        known = _FORMATS.get(str(schema.get("format")))
        if known is not None:
            return known
        fewest, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 200))
        text = f"Rehearsal of {name.replace('_', ' ')}."
        text += " No model wrote this." * (1 + fewest // 20) if fewest > len(text) else ""
        return text[:most]

    def _number(self, schema: Schema, *, whole: bool) -> float:
        low, high = _range(schema, whole=whole)
        step = schema.get("multipleOf", 1 if whole else None)
        if step is None:
            return round(self._chance.uniform(low, high), 2) if high - low > 1 else self._chance.uniform(low, high)
        drawn = self._chance.randint(math.ceil(low / step), math.floor(high / step)) * step
        return int(drawn) if whole else drawn


def _range(schema: Schema, *, whole: bool) -> tuple[float, float]:
    edge = 1 if whole else 1e-6
    lows = [schema[word] + extra for word, extra in (("minimum", 0), ("exclusiveMinimum", edge)) if word in schema]
    highs = [schema[word] - extra for word, extra in (("maximum", 0), ("exclusiveMaximum", edge)) if word in schema]
    if lows:
        low = max(lows)
        return low, min(highs) if highs else max(low, 0) + 100
    high = min(highs) if highs else 100
    return min(0, high), high


def _pointed(root: Schema, reference: str) -> dict[str, Any]:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")] if step else found
    return dict(found)


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return both


def _weight(schema: Schema) -> int:
    kind = schema.get("type", "const" if "const" in schema or "enum" in schema else "object")
    return _ORDER.index(kind) if kind in _ORDER else 0
