"""Values: what may be cached, how a hit is made safe from mutation, and how many bytes it takes.

Owns the rule that a value is equal and of the same type from memory and from Redis: bytes, or JSON with str keys. Refuses the
rest (tuple, Decimal, datetime, set, subclasses, NaN, larger integers), because JSON would give back something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from sys import getsizeof
from typing import Any, Final

import orjson

from core.cache.entry import ABSENT
from core.errors import CacheTypeError

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_CONTAINERS: Final = frozenset({dict, list})
_JSON: Final = _SCALARS | _CONTAINERS
_DICT_ONLY: Final = frozenset({dict})
_STRICT: Final = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

# Bytes in CPython 3.11, held to tracemalloc by tests/cache/test_values.py: what a str and another scalar take beyond their
# JSON; what a copy plan takes for each nested container, and more for one that has containers itself.
_STRING_BYTES, _SCALAR_BYTES, _PART_BYTES, _PLAN_BYTES = 46, 12, 190, 230
_NAME_BYTES = _STRING_BYTES - _SCALAR_BYTES + 11  # Of a key in the estimate from JSON: quotes, colon, comma and seven letters.
_MOST_NAMES: Final = 64  # A dict with more keys than this has data for keys, which nobody shares.

_DEEPEST: Final = 100  # Where the search for a fault ends; orjson itself refuses more than 254 levels, and cycles.


@dataclass(frozen=True, slots=True)
class Held:
    """A value as the store keeps it: the store's own, how a caller gets a copy (None: it is immutable), and its bytes."""

    value: Any
    copy: Callable[[], Any] | None
    size_bytes: int


def hold(value: Any) -> Held:
    """The value as the store keeps it, independent of the caller's object; raises CacheTypeError.

    A copy plan, built here once, is what makes a hit cheap: decision 0009. ABSENT is held as it is.
    """
    kind = type(value)
    if kind is bytes or value is ABSENT:
        return Held(value, None, getsizeof(value))
    try:
        data = orjson.dumps(value, None, _STRICT)
        nulls = b"null" in data  # So orjson writes NaN and infinity, too.
        own, copy, size_bytes = _plan(value, nulls) if kind in _CONTAINERS else _scalar(value)
    except (TypeError, RecursionError) as error:  # orjson's JSONEncodeError is a TypeError.
        raise CacheTypeError(_fault(value) or f"value cannot be cached: {str(error) or 'it has what is not JSON'}.") from error
    if copy is None:
        return Held(own, None, size_bytes)
    if data.isascii():
        strings = data.count(b'"') // 2
        return Held(own, copy, size_bytes + len(data) + strings * (_STRING_BYTES - _SCALAR_BYTES))
    return Held(own, copy, size_of(own))


def check(value: Any) -> None:
    """Nothing, if this may be cached; raises CacheTypeError."""
    hold(value)


def copier(value: Any) -> Callable[[], Any] | None:
    """What gives an independent copy of this value as it is now; None when it is immutable; raises CacheTypeError."""
    return hold(value).copy


def size_of(value: Any) -> int:
    """Estimate of the bytes in memory of a value with its copy plan; the names in small dicts are shared, so not counted."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return getsizeof(value)
    children = value if kind is list else value.values()
    size_bytes = getsizeof(value) + (sum(map(getsizeof, value)) if kind is dict and len(value) > _MOST_NAMES else 0)
    if _CONTAINERS.isdisjoint(map(type, children)):
        return size_bytes + sum(map(getsizeof, children))
    nested = [child for child in children if type(child) in _CONTAINERS]
    is_rows = kind is list and set(map(type, children)) == _DICT_ONLY and _row_types(value)
    plan_bytes = 0 if is_rows else _PLAN_BYTES + _PART_BYTES * len(nested)
    scalars = sum([getsizeof(child) for child in children if type(child) in _SCALARS])
    return size_bytes + plan_bytes + scalars + sum(map(size_of, nested))


# A plan is a private copy, what copies it again, and its bytes beyond those of its JSON.
_Plan = tuple[Any, Callable[[], Any], int]


def _scalar(value: Any) -> tuple[Any, None, int]:
    if type(value) not in _SCALARS or (type(value) is float and not math.isfinite(value)):
        raise TypeError
    return value, None, getsizeof(value)


def _plan(value: Any, nulls: bool) -> _Plan:
    """Plan the copies of a dict or list; raises TypeError for what is not JSON. Without `nulls` every float is finite."""
    own = value.copy()
    is_dict = type(own) is dict
    children = own.values() if is_dict else own
    kinds = set(map(type, children))
    if nulls and float in kinds:
        _refuse_infinite(children)
    size_bytes = getsizeof(own) + len(own) * _SCALAR_BYTES
    if is_dict and len(own) <= _MOST_NAMES:
        size_bytes -= len(own) * _NAME_BYTES
    if kinds <= _SCALARS:
        return own, own.copy, size_bytes
    if not kinds <= _JSON:
        raise TypeError
    if is_dict:
        return _plan_nested(own, own.items(), size_bytes, nulls)
    if kinds == _DICT_ONLY and (cells := _row_types(own)):
        if nulls and float in cells:
            _refuse_infinite(chain.from_iterable(map(dict.values, own)))
        return _plan_rows(own, size_bytes)
    return _plan_nested(own, enumerate(own), size_bytes, nulls)


def _plan_nested(own: Any, items: Iterable[tuple[Any, Any]], size_bytes: int, nulls: bool) -> _Plan:
    parts = []
    for place, child in items:
        if type(child) in _CONTAINERS:
            own[place], part, child_bytes = _plan(child, nulls)
            parts.append((place, part))
            size_bytes += child_bytes + _PART_BYTES

    def copy() -> Any:
        made = own.copy()
        for place, part in parts:
            made[place] = part()
        return made

    return own, copy, size_bytes + _PLAN_BYTES


def _plan_rows(own: list[dict[str, Any]], size_bytes: int) -> _Plan:
    """Of a list of flat dicts: one comprehension, not a closure for each."""
    rows = [row.copy() for row in own]
    size_bytes += sum(map(getsizeof, rows)) - sum(map(len, rows)) * (_NAME_BYTES - _SCALAR_BYTES)
    return rows, lambda: [row.copy() for row in rows], size_bytes


def _refuse_infinite(values: Iterable[Any]) -> None:
    if not all(map(math.isfinite, [value for value in values if type(value) is float])):
        raise TypeError


def _row_types(rows: list[dict[str, Any]]) -> set[type] | None:
    """The types in these dicts; None when they are not flat, or all empty."""
    types = set(map(type, chain.from_iterable(map(dict.values, rows))))
    return types if types <= _SCALARS else None


def _fault(value: Any, place: str = "value", depth: int = 0) -> str:
    """What is wrong in a value and where; empty when nothing is found down to _DEEPEST."""
    kind = type(value)
    if depth > _DEEPEST:
        return ""
    if kind is float and not math.isfinite(value):
        return f"{place} cannot be cached: {value} is not JSON."
    if kind is int and not -(2**63) <= value < 2**64:
        return f"{place} cannot be cached: the integer has more than 64 bits."
    if kind is str and not value.isascii() and value.encode("utf-8", "replace") != value.encode("utf-8", "surrogatepass"):
        return f"{place} cannot be cached: the text has a lone surrogate."
    if kind is list:
        parts = ((child, f"{place}[{index}]") for index, child in enumerate(value))
    elif kind is dict:
        odd = [key for key in value if type(key) is not str]
        if odd:
            return f"{place} cannot be cached: its key {odd[0]!r:.60} is no str."
        parts = ((child, f"{place}[{key!r:.60}]") for key, child in value.items())
    else:
        return "" if kind in _SCALARS else f"{place} cannot be cached: {kind.__name__} is not JSON."
    return next((fault for child, at in parts if (fault := _fault(child, at, depth + 1))), "")
