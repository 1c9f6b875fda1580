"""Packing: what is made once of a cached body and sent many times: its gzip form and its entity tag.

Owns a bounded store of them beside the cache. A body is known by its identity: as long as memory answers with the same bytes
object, nothing is made again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from core.api.answers import COMPRESS_FROM_BYTES, gzipped

MOST_BYTES = 32 * 1024 * 1024  # Of bodies and their packed forms; the bodies are mostly those that the cache holds anyway.


@dataclass(slots=True, eq=False)
class Packed:
    """A body with its weak entity tag (RFC 9110, 8.8.1: both forms are one representation of the same data)."""

    body: bytes
    tag: str
    gzip: bytes | None = None

    @property
    def large(self) -> bool:
        """Whether it is worth packing."""
        return len(self.body) >= COMPRESS_FROM_BYTES

    @property
    def size_bytes(self) -> int:
        """Of both forms."""
        return len(self.body) + len(self.gzip or b"")


class Packing:
    """Finds or makes them by cache key; the least recently used go first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._known: OrderedDict[str, Packed] = OrderedDict()
        self.size_bytes = 0

    def of(self, key: str, body: bytes, *, gzip: bool) -> Packed:
        """The body with its tag, and packed if that is wanted and worth it."""
        packed = self._known.get(key)
        if packed is None or packed.body is not body:
            packed = self._replace(key, Packed(body, f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'))
        else:
            self._known.move_to_end(key)
        if gzip and packed.gzip is None and packed.large:
            packed.gzip = gzipped(body)
            self.size_bytes += len(packed.gzip)
        self._shrink()
        return packed

    def _replace(self, key: str, packed: Packed) -> Packed:
        if old := self._known.pop(key, None):
            self.size_bytes -= old.size_bytes
        self._known[key] = packed
        self.size_bytes += packed.size_bytes
        return packed

    def _shrink(self) -> None:
        while self.size_bytes > self._most_bytes and self._known:
            _, oldest = self._known.popitem(last=False)
            self.size_bytes -= oldest.size_bytes
