"""Envelope: values come back equal and of the same type; what is damaged, newer or a bomb never gets through."""

from __future__ import annotations

import contextlib
import random
import struct
from typing import Any

import orjson
import pytest
import zstandard

from core.cache.entry import ABSENT, Stored
from core.cache.redis_tier.envelope import (
    FORMAT,
    HEAD_BYTES,
    MAGIC,
    MAX_EXTRAS_BYTES,
    MAX_VALUE_BYTES,
    decode,
    decode_head,
    encode,
)
from core.errors import EnvelopeError

HEADER = struct.Struct(">2sBBBddQdHI")
LARGE = [{"id": number, "name": f"lead {number}", "score": number / 7} for number in range(200)]
VALUES = [
    None, False, 0, "", [], {}, b"", b"\x00\xff" * 700, "ü", 1.5, -(2**63), 2**64 - 1, {"a": [1, None, {"b": "c"}]}, LARGE,
    ABSENT,
]  # fmt: skip


def stored(value: Any = 1, **fields: Any) -> Stored:
    """A value with times and a version."""
    times = {"stored_at": 1_795_000_000.125, "expires_at": 1_795_000_300.5}
    return Stored(**{"value": value, "version": 2**63 - 1} | times | fields)


def packed(payload: bytes, codec: int = 1, form: int = FORMAT, size: int | None = None) -> bytes:
    """An envelope made by hand."""
    return HEADER.pack(MAGIC, form, codec, 2, 1, 2, 3, 0.0, 0, len(payload) if size is None else size) + payload


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_value_comes_back_as_it_was(value):
    """Equal, of the same type, and absent is neither None nor an error."""
    read = decode(encode(stored(value)))

    assert read.value == value
    assert type(read.value) is type(value)
    assert (read.value is ABSENT) == (value is ABSENT)


def test_all_that_is_known_of_a_value_comes_back():
    """Times, version, generations, load time, priority and run; the size is that of the bytes."""
    given = stored(
        load_seconds=0.123456789, priority="critical", run="morning-ü", generations=(("market:austin", 2**63 - 1), ("", 0))
    )

    data = encode(given)
    read = decode(data)

    assert read.size_bytes == len(data)
    for name in ("stored_at", "expires_at", "version", "generations", "load_seconds", "priority", "run"):
        assert getattr(read, name) == getattr(given, name), name


def test_a_stored_value_cannot_be_changed():
    """What is read is as frozen as any Stored, though it is not made by its constructor."""
    with pytest.raises(AttributeError):
        decode(encode(stored())).version = 0


def test_the_head_tells_all_but_the_value():
    """The first bytes are enough for the key explorer, also with as many tags as there may be."""
    tags = tuple((f"market:{number:04}", number) for number in range(180))
    given = stored(LARGE, run="r", generations=tags, priority="low")

    head = decode_head(encode(given)[:HEAD_BYTES])

    assert (head.run, head.generations, head.priority, head.version) == ("r", tags, "low", given.version)
    assert head.codec == "json zstd"


@pytest.mark.parametrize(("value", "codec"), [(1, "json"), (b"x", "bytes"), (b"x" * 2_000, "bytes zstd"), (ABSENT, "absent")])
def test_the_codec_is_named(value, codec):
    """An operator sees how a value lies there."""
    assert decode_head(encode(stored(value))).codec == codec


def test_only_what_gets_smaller_is_packed():
    """Random bytes stay as they are; a list of leads takes less than a third."""
    noise = random.Random(1).randbytes(5_000)

    assert decode_head(encode(stored(noise))).codec == "bytes"
    assert len(encode(stored(LARGE))) < len(orjson.dumps(LARGE)) / 3


@pytest.mark.parametrize("value", [(1 + 2j), {1: 2}, object(), {"a": {1, 2}}])
def test_what_is_no_json_is_refused(value):
    """A TypeError, as orjson says it; nothing is pickled."""
    with pytest.raises(TypeError):
        encode(stored(value))


def test_too_large_values_and_tags_are_refused():
    """Bounds of what a read may cost; the error says which."""
    for given in (stored(b"x" * (MAX_VALUE_BYTES + 1)), stored(generations=(("t" * MAX_EXTRAS_BYTES, 1),))):
        with pytest.raises(EnvelopeError) as caught:
            encode(given)
        assert caught.value.kind == "too_large"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"hello", b'{"a": 1}', b"\x80\x04\x95", MAGIC, MAGIC + bytes([FORMAT]), packed(b"{"), packed(b"1", codec=3),
        packed(b"1", codec=9), packed(b"x", codec=2), packed(b"1", codec=5), packed(b"1", size=2), packed(b"1") + b"1",
        packed(b"[" * 5_000), HEADER.pack(MAGIC, FORMAT, 1, 4, 1, 2, 3, 0.0, 0, 1) + b"1",
        HEADER.pack(MAGIC, FORMAT, 1, 2, 1, 2, 3, 0.0, 4, 1) + b"\x00\x09ab1",
    ],
    ids=lambda data: repr(data[-24:]),
)  # fmt: skip
def test_what_is_not_ours_is_poisoned(data):
    """Another program's bytes, a cut or damaged value, an unknown codec or priority."""
    with pytest.raises(EnvelopeError) as caught:
        decode(data)

    assert caught.value.kind == "poisoned"


@pytest.mark.parametrize("data", [packed(b"?", form=FORMAT + 1), MAGIC + b"\xff", MAGIC + bytes([FORMAT + 1]) + b"anything"])
def test_a_newer_format_is_told_apart(data):
    """A process of the last release must know that it is not damaged."""
    for read in (decode, decode_head):
        with pytest.raises(EnvelopeError) as caught:
            read(data)
        assert caught.value.kind == "newer"


def test_bombs_are_not_unpacked():
    """What would unpack to more than the bound, or does not say to how much, is refused unread."""
    zeros = b"0" * (MAX_VALUE_BYTES + 1)
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(b"1" * 5_000)
    liar = bytearray(zstandard.compress(b"1" * 5_000))
    liar[5] ^= 0xFF  # Of the size that the frame declares.

    for payload in (zstandard.compress(zeros), silent, bytes(liar)):
        with pytest.raises(EnvelopeError) as caught:
            decode(packed(payload, codec=4))
        assert caught.value.kind == "poisoned"


def test_damage_anywhere_is_an_answer_or_an_envelope_error():
    """No byte that flips and no cut makes anything else happen: 4,000 tries over packed, tagged and plain values."""
    chance = random.Random(7)
    whole = [encode(stored(value, run="r", generations=(("t", 1),))) for value in (LARGE, b"x" * 3_000, {"a": "b"}, ABSENT)]
    for data in whole:
        for _ in range(1_000):
            damaged = bytearray(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.3 else data)
            for _ in range(chance.randrange(1, 4)):
                if damaged:
                    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            for read in (decode, decode_head):
                with contextlib.suppress(EnvelopeError):
                    read(bytes(damaged))
