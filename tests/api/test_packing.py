"""Packing: a body is packed once, known by its identity, within a bound."""

from __future__ import annotations

import gzip

from core.api.packing import Packing


def _body(letter: str, size: int = 10_000) -> bytes:
    return letter.encode() * size


def test_the_same_body_is_packed_once() -> None:
    """And an equal one that was loaded anew keeps its entity tag."""
    packing, body = Packing(), _body("a")

    first = packing.of("k:1", body, gzip=True)
    assert first.gzip is not None
    assert gzip.decompress(first.gzip) == body
    assert packing.of("k:1", body, gzip=True) is first
    assert packing.of("k:1", bytes(bytearray(body)), gzip=False).tag == first.tag


def test_a_new_body_replaces_the_old_one() -> None:
    """No answer mixes the two."""
    packing = Packing()
    old = packing.of("k:1", _body("a"), gzip=True)

    new = packing.of("k:1", _body("b"), gzip=True)

    assert new.tag != old.tag
    assert new.gzip is not None
    assert gzip.decompress(new.gzip) == _body("b")


def test_it_holds_no_more_than_its_bound() -> None:
    """The least recently used go first, and a body larger than the bound is answered all the same."""
    packing = Packing(most_bytes=35_000)
    kept = packing.of("k:0", body := _body("a"), gzip=False)
    for number in range(1, 20):
        packing.of(f"k:{number}", _body("b"), gzip=False)
        assert packing.of("k:0", body, gzip=False) is kept
    assert packing.size_bytes <= 35_000
    assert packing.of("k:big", _body("c", 50_000), gzip=True).gzip is not None
    assert packing.size_bytes == 0


def test_a_small_body_stays_as_it_is() -> None:
    """A packet carries it either way."""
    assert Packing().of("k:1", b"{}", gzip=True).gzip is None
