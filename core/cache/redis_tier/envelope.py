"""Envelope: the bytes of one value in Redis, and back.

Owns the format: a fixed header, the run and the tags with their generations, then the value. Refuses pickle: what is read from
Redis can only become JSON values or bytes. The format's number in the header tells an older process to leave a value alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, error
from typing import Any, Final

import orjson
import zstandard

from core.cache.entry import ABSENT, Stored
from core.errors import EnvelopeError

MAGIC: Final = b"\xc5E"  # No text and no JSON starts with it.
FORMAT: Final = 1
MAX_VALUE_BYTES: Final = 32 * 2**20  # Of the value unpacked: what a read may cost in memory at most.
MAX_EXTRAS_BYTES: Final = 4_096  # Of run and tags together, so that one short read of the head shows them all.
PACK_FROM_BYTES: Final = 1_024  # Below, zstd saves little and costs as much as the JSON itself.

# Magic, format, codec, priority, stored and expires in seconds, version, load seconds, bytes of extras, bytes of payload.
_HEADER = Struct(">2sBBBddQdHI")
_HEADER_BYTES = _HEADER.size
_TAG = Struct(">QH")
HEAD_BYTES: Final = _HEADER_BYTES + MAX_EXTRAS_BYTES

_BYTES, _JSON, _ABSENT, _PACKED = 0, 1, 2, 4  # _PACKED is a flag: zstd.
_CODECS = ("bytes", "json", "absent")
_PRIORITIES = ("critical", "high", "normal", "low")
_JSON_ONLY = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_unpack, _loads = _HEADER.unpack_from, orjson.loads


@dataclass(frozen=True, slots=True)
class Head:
    """What the first HEAD_BYTES of an envelope tell; times are of Redis' clock, in seconds since the epoch."""

    stored_at: float
    expires_at: float
    version: int
    load_seconds: float
    priority: str
    run: str
    generations: tuple[tuple[str, int], ...]
    codec: str  # bytes, json or absent, with " zstd" behind it when packed.


_made = tuple.__new__


def encode(stored: Stored) -> bytes:
    """The envelope of a value; raises EnvelopeError when it is too large, TypeError when the value is not JSON."""
    codec, payload = _payload(stored.value)
    extras = _extras(stored.run, stored.generations) if stored.run or stored.generations else b""
    header = _HEADER.pack(
        MAGIC, FORMAT, codec, _PRIORITIES.index(stored.priority),
        stored.stored_at, stored.expires_at, stored.version, stored.load_seconds,
        len(extras), len(payload),
    )  # fmt: skip
    return b"".join((header, extras, payload))


def decode(data: bytes) -> Stored:
    """The value and all that is known of it; raises EnvelopeError, `poisoned` or `newer`."""
    try:
        magic, form, codec, priority, stored_at, expires_at, version, load_seconds, extras, size = _unpack(data)
    except error:
        raise _unreadable(data) from None
    start, size_bytes = _HEADER_BYTES + extras, len(data)
    if magic != MAGIC or form != FORMAT or start + size != size_bytes:
        raise _unreadable(data)
    try:
        value = _loads(data[start:]) if codec == _JSON else _value(codec, data[start:])
        run, generations = _run_and_generations(data[_HEADER_BYTES:start]) if extras else ("", ())
        name = _PRIORITIES[priority]
    except (ValueError, IndexError, error, zstandard.ZstdError) as cause:
        raise _poisoned(str(cause)) from cause
    # Past the __new__ of a named tuple, which costs a tenth of the whole.
    return _made(Stored, (value, stored_at, expires_at, version, generations, load_seconds, name, run, size_bytes))


def decode_head(data: bytes) -> Head:
    """The same without the value, out of the first HEAD_BYTES; raises EnvelopeError as `decode` does."""
    try:
        magic, form, codec, priority, stored_at, expires_at, version, load_seconds, extras, _ = _unpack(data)
        if magic != MAGIC or form != FORMAT:
            raise _unreadable(data)
        run, generations = _run_and_generations(data[_HEADER_BYTES : _HEADER_BYTES + extras]) if extras else ("", ())
        packed = " zstd" if codec & _PACKED else ""
        return Head(
            stored_at, expires_at, version, load_seconds, _PRIORITIES[priority], run, generations,
            _CODECS[codec & ~_PACKED] + packed,
        )  # fmt: skip
    except (ValueError, IndexError, error) as cause:
        raise _unreadable(data) from cause


def _payload(value: Any) -> tuple[int, bytes]:
    if value is ABSENT:
        return _ABSENT, b""
    codec, payload = (_BYTES, value) if isinstance(value, bytes) else (_JSON, orjson.dumps(value, option=_JSON_ONLY))
    if len(payload) > MAX_VALUE_BYTES:
        raise EnvelopeError("too_large", f"The value has {len(payload):,} bytes; Redis keeps {MAX_VALUE_BYTES:,} at most.")
    if len(payload) > PACK_FROM_BYTES:
        packed = zstandard.compress(payload)
        if len(packed) < len(payload):
            return codec | _PACKED, packed
    return codec, payload


def _value(codec: int, payload: bytes) -> Any:
    if codec & _PACKED:
        size = zstandard.frame_content_size(payload)  # Read before anything is unpacked: -1 where the frame does not say.
        if not 0 <= size <= MAX_VALUE_BYTES:
            raise ValueError(f"it would unpack to {size:,} bytes")
        codec, payload = codec & ~_PACKED, zstandard.decompress(payload, max_output_size=size)
    if codec == _JSON:
        return orjson.loads(payload)
    if codec == _BYTES:
        return payload
    if codec == _ABSENT and not payload:
        return ABSENT
    raise ValueError(f"there is no codec {codec}")


def _extras(run: str, generations: tuple[tuple[str, int], ...]) -> bytes:
    name = run.encode()
    parts = [len(name).to_bytes(2, "big"), name]
    for tag, generation in generations:
        encoded = tag.encode()
        parts += (_TAG.pack(generation, len(encoded)), encoded)
    extras = b"".join(parts)
    if len(extras) > MAX_EXTRAS_BYTES:
        raise EnvelopeError("too_large", f"The tags have {len(extras):,} bytes; {MAX_EXTRAS_BYTES:,} are kept at most.")
    return extras


@lru_cache(maxsize=8192)  # Values that were stored with the same tags since the last change of these share it.
def _run_and_generations(extras: bytes) -> tuple[str, tuple[tuple[str, int], ...]]:
    at = 2 + int.from_bytes(extras[:2], "big")
    run, generations = extras[2:at].decode(), []
    while at < len(extras):
        generation, length = _TAG.unpack_from(extras, at)
        at += _TAG.size + length
        generations.append((extras[at - length : at].decode(), generation))
    if at != len(extras):
        raise ValueError("its tags are cut off")
    return run, tuple(generations)


def _unreadable(data: bytes) -> EnvelopeError:
    """Of a newer format only when our magic is there with a greater number."""
    if data[:2] == MAGIC and len(data) > 2 and data[2] > FORMAT:
        return EnvelopeError("newer", f"The value has format {data[2]}; this version reads format {FORMAT}.")
    return _poisoned("its header is not ours, or it is cut off")


def _poisoned(why: str) -> EnvelopeError:
    return EnvelopeError("poisoned", f"The value is not one that this cache wrote: {why}.")
