"""Values: what may be cached, how a hit is made safe from mutation, and how many bytes it takes.

Owns the rule that a value is equal and of the same type from memory and from Redis: bytes, or JSON with str keys. Refuses the
rest (tuple, Decimal, datetime, set, subclasses, NaN, larger integers), because JSON would give back something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
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
# JSON; what copies a flat container, what copies one that has containers itself, and more for each of those.
_STRING_BYTES, _SCALAR_BYTES = 46, 12
_NAME_BYTES = _STRING_BYTES - _SCALAR_BYTES + 11  # Of a key in the estimate from JSON: quotes, colon, comma and seven letters.
_MOST_NAMES: Final = 64  # A dict with more keys than this has data for keys, which nobody shares.

_DEEPEST: Final = 100  # Where the search for a fault ends; orjson itself refuses more than 254 levels, and cycles.

Copy = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A value as the store keeps it: the store's own, what copies it for a caller (None: it is immutable), and its bytes."""

    value: Any
    copy: Copy | None
    size_bytes: int


def hold(value: Any) -> Held:
    """The value as the store keeps it, independent of the caller's object; raises CacheTypeError.

    What copies it is shared by all values of its shape: decision 0009. ABSENT is held as it is.
    """
    kind = type(value)
    if kind is bytes or value is ABSENT:
        return Held(value, None, getsizeof(value))
    try:
        data = orjson.dumps(value, None, _STRICT)
        if kind not in _CONTAINERS:
            _refuse_odd(value)
            return Held(value, None, getsizeof(value))
        own, copy, size_bytes = _planned(value, b"null" in data)  # orjson writes NaN and infinity as null, too.
    except (TypeError, RecursionError) as error:  # orjson's JSONEncodeError is a TypeError.
        raise CacheTypeError(_fault(value) or f"value cannot be cached: {str(error) or 'it has what is not JSON'}.") from error
    if data.isascii():
        size_bytes += len(data) + data.count(b'"') // 2 * (_STRING_BYTES - _SCALAR_BYTES)
    else:
        size_bytes = size_of(own)
    return Held(own, copy, size_bytes)


def check(value: Any) -> None:
    """Nothing, if this may be cached; raises CacheTypeError."""
    hold(value)


def copier(value: Any) -> Copy | None:
    """What gives an independent copy of a value of this shape; None when it is immutable; raises CacheTypeError."""
    return hold(value).copy


def size_of(value: Any) -> int:
    """Estimate of the bytes in memory of a value; the names in small dicts are shared, so not counted."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return getsizeof(value)
    names = sum(map(getsizeof, value)) if kind is dict and len(value) > _MOST_NAMES else 0
    children = value if kind is list else value.values()
    if _CONTAINERS.isdisjoint(map(type, children)):
        return getsizeof(value) + names + sum(map(getsizeof, children))
    return getsizeof(value) + names + sum(map(size_of, children))


@lru_cache(maxsize=4096)  # Shapes, not values: a platform has dozens.
def _copy_of(flat: Copy, parts: tuple[tuple[Any, Copy], ...]) -> Copy:
    """What copies a dict or list whose containers are at these places; `flat` is dict.copy or list.copy."""

    def copy(value: Any) -> Any:
        made = flat(value)
        for place, part in parts:
            made[place] = part(made[place])
        return made

    return copy


@lru_cache(maxsize=4096)
def _copy_of_each(part: Copy) -> Copy:
    """What copies a list of nothing but containers of one shape."""
    return lambda value: [part(child) for child in value]


def _planned(value: Any, nulls: bool) -> tuple[Any, Copy, int]:
    """A private copy of a dict or list, what makes further ones, and its bytes beyond those of its JSON.

    Raises TypeError for what is not JSON; without `nulls` every float is finite.
    """
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
        return own, dict.copy if is_dict else list.copy, size_bytes
    if not kinds <= _JSON:
        raise TypeError
    if kinds == _DICT_ONLY and not is_dict and (cells := _row_types(own)):
        if nulls and float in cells:
            _refuse_infinite(chain.from_iterable(map(dict.values, own)))
        rows = [row.copy() for row in own]
        return (
            rows,
            _copy_of_each(dict.copy),
            size_bytes + sum(map(getsizeof, rows)) - sum(map(len, rows)) * (_NAME_BYTES - _SCALAR_BYTES),
        )
    return _planned_children(own, own.items() if is_dict else enumerate(own), size_bytes, nulls)


def _planned_children(own: Any, items: Iterable[tuple[Any, Any]], size_bytes: int, nulls: bool) -> tuple[Any, Copy, int]:
    parts = []
    for place, child in items:
        if type(child) in _CONTAINERS:
            own[place], copy, child_bytes = _planned(child, nulls)
            size_bytes += child_bytes
            parts.append((place, copy))
    if type(own) is list and len(parts) == len(own) and len({copy for _, copy in parts}) == 1:
        return own, _copy_of_each(parts[0][1]), size_bytes
    return own, _copy_of(dict.copy if type(own) is dict else list.copy, tuple(parts)), size_bytes


def _refuse_odd(value: Any) -> None:
    if type(value) not in _SCALARS or (type(value) is float and not math.isfinite(value)):
        raise TypeError


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
