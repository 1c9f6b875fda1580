"""Values: what is cached comes back equal and of the same type, and no caller can change what the store holds."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import random
import sys
import tracemalloc
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from core.cache.entry import ABSENT
from core.cache.values import check, copier, hold, size_of
from core.errors import CacheTypeError

LEAD = {
    "lead_id": "8f1c2d34",
    "score": 87,
    "probability": 0.8731,
    "reasons": ["pre-approved", "two viewings asked"],
    "next_steps": [{"action": "call", "due": "2026-11-24"}, {"action": "send listings", "due": "2026-11-23"}],
    "budget": {"min": 350_000, "max": 475_000, "by_area": {"north": [1, 2, [3, {"four": None}]]}},
    "hot": True,
    "note": None,
    "summary": "Wants to move before the school year starts, and has asked twice for viewings.",
}


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


def _row(number: int) -> dict[str, Any]:
    return {"id": f"p{number:06d}", "price": 350_000.5 + number, "bedrooms": number % 5, "address": f"{number} Main street"}


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _cycle() -> Any:
    value: list[Any] = []
    value.append({"again": value})
    return value


def _random_value(chance: random.Random, depth: int = 4) -> Any:
    leaf: list[Callable[[], Any]] = [
        lambda: chance.choice([None, True, False, "", 0, -0.0, 2**64 - 1, -(2**63), 'ß€😀\x00\\"', "null"]),
        lambda: chance.uniform(-1e300, 1e300) ** chance.choice([1, -1]),
        lambda: chance.randint(-(2**63), 2**64 - 1),
        lambda: "".join(chance.choices('ab\n"é中', k=chance.randint(0, 12))),
    ]
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(leaf)()
    size = chance.randint(0, 5)
    if chance.random() < 0.5:
        return [_random_value(chance, depth - 1) for _ in range(size)]
    return {f"{chance.choice('kläü')}{number}": _random_value(chance, depth - 1) for number in range(size)}


def _spoil(value: Any) -> None:
    """Change every container of a value, the inner ones first."""
    for child in list(value.values()) if type(value) is dict else list(value) if type(value) is list else []:
        _spoil(child)
    if type(value) is dict:
        value["spoiled"] = True
    elif type(value) is list:
        value.clear()


def _same(one: Any, other: Any) -> bool:
    """Equal and of the same types all the way down; repr tells True from 1, and 0.0 from -0.0."""
    return one == other and repr(one) == repr(other)


def test_what_is_held_equals_what_redis_would_give() -> None:
    """Values drawn at random are held, copied and sent through JSON without a change of value, type or order."""
    chance = random.Random(4)
    for _ in range(3_000):
        value = _random_value(chance)
        held = hold(value)
        assert _same(held.value, value)
        assert _same(orjson.loads(orjson.dumps(value)), value)
        assert held.copy is None or _same(held.copy(held.value), value)


def test_no_caller_reaches_what_is_held() -> None:
    """Neither the object that was given, nor a copy that was handed out, shares a container with what is held."""
    chance = random.Random(5)
    for _ in range(1_000):
        value = _random_value(chance)
        before, held = repr(value), hold(value)
        if held.copy is None:
            continue
        _spoil(value)
        _spoil(held.copy(held.value))
        assert repr(held.copy(held.value)) == before


@pytest.mark.parametrize("value", [b"\xff\x00", b"", "text", 7, 1.5, True, None, ABSENT])
def test_immutable_values_are_held_as_they_are(value: Any) -> None:
    """Nothing is copied where nothing can be changed."""
    held = hold(value)
    assert held.value is value
    assert held.copy is None
    assert held.size_bytes > 0


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        (),
        decimal.Decimal("1.5"),
        dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
        dt.date(2026, 11, 22),
        uuid.UUID(int=1),
        {1},
        bytearray(b"a"),
        float("nan"),
        float("inf"),
        -float("inf"),
        2**64,
        -(2**63) - 1,
        "\ud800",
        Colour.RED,
        Level.LOW,
        Text("a"),
        OrderedDict(a=1),
        object(),
    ],
    ids=lambda value: f"{type(value).__name__} {value!r:.20}",
)
def test_what_json_would_change_is_refused_wherever_it_is(value: Any) -> None:
    """Alone, in a list, in a dict, in rows and deep inside, beside nulls and strings that say null."""
    for around in (value, [value], {"a": value}, [{"a": 1.0, "n": None}, {"a": value}], {"a": ["null", {"b": [None, value]}]}):
        with pytest.raises(CacheTypeError) as caught:
            check(around)
        assert caught.value.next_step.startswith("Cache bytes, or JSON")


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"},
        {"a": {None: 1}},
        [{True: 1}],
        {b"a": 1},
        {Text("a"): 1},
        {"\ud800": 1},
        [b"bytes inside"],
        _nested(300),
        _cycle(),
    ],
)
def test_odd_keys_and_shapes_are_refused(value: Any) -> None:
    """Keys that are no str, bytes inside of JSON, more levels than JSON takes, and a value that contains itself."""
    with pytest.raises(CacheTypeError):
        check(value)


def test_the_error_says_where() -> None:
    """The message leads to the place of the fault."""
    with pytest.raises(CacheTypeError, match=r"value\['leads'\]\[1\]\['price'\] cannot be cached: Decimal is not JSON"):
        check({"leads": [{"price": 1}, {"price": decimal.Decimal(1)}]})


def test_as_deep_as_json_goes_is_held() -> None:
    """What orjson writes and reads back is also copied."""
    value = _nested(200)
    copy = copier(value)
    assert copy is not None
    assert copy(value) == value


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda _: LEAD, 300),
        (lambda _: [_row(number) for number in range(100)], 30),
        (lambda _: [dict(_row(number), tags=["pool", "garage"]) for number in range(100)], 30),
        (lambda _: {"text": "An answer of some length. " * 80}, 300),
        (lambda _: {"text": "Grüße und ein 😀. " * 80}, 300),
        (lambda n: {f"lead:{n * 500 + number:09d}": number * 1000 for number in range(500)}, 20),
        (lambda _: [number * 1.37 for number in range(300)], 100),
    ],
    ids=["lead", "rows", "nested rows", "text", "wide text", "ids for keys", "numbers"],
)
def test_bytes_are_close_to_the_truth(make: Callable[[int], Any], count: int) -> None:
    """Within 25 % of what tracemalloc sees, for values whose names of keys are shared, with and without what copies them."""
    first, *data = [orjson.dumps(make(number)) for number in range(count + 1)]
    hold(_fresh(first))
    values, value_bytes = _traced(lambda: [_fresh(each) for each in data])
    kept, held_bytes = _traced(lambda: [hold(_fresh(each)) for each in data])
    assert size_of(values[0]) == pytest.approx(value_bytes / count, rel=0.25)
    assert kept[0].size_bytes == pytest.approx(held_bytes / count, rel=0.25)


def _fresh(data: bytes) -> Any:
    """What the JSON says, with shared names, as the columns of a database have them; in a large dict the keys are data."""
    return json.loads(data, object_pairs_hook=lambda pairs: {k if len(pairs) > 64 else sys.intern(k): v for k, v in pairs})


def _traced(make: Callable[[], list[Any]]) -> tuple[list[Any], int]:
    """What was made, and the bytes that it takes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        made = make()
        return made, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
