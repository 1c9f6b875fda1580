"""SlotsCodec: what one process did in one slot, all of its series in one blob, and back.

Owns the format, which loses nothing: counts are whole numbers, sums and maxima stay float64. Columns are stored byte plane by
byte plane, so that the zeros of small numbers lie together and zstandard makes little of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from struct import Struct, error
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from core.monitor.buckets import BUCKETS
from core.monitor.slots import Slot
from core.monitor.windows import Labels

VERSION = 1
LEVEL = 3
MAX_BYTES = 16_000_000  # 200 series with every bucket filled take 1.3 MB: a blob that says more is not ours.

StoredKey = tuple[str, Labels | None]  # A metric and its labels; None: over all of them.
Choice = Callable[[StoredKey], bool]

_HEAD = Struct("<BHII")  # version, series, filled buckets of all series, bytes of the names
_OF_SERIES = ("<u8", "<f8", "<f8", "<u2")  # samples, total, maximum, filled buckets
_OF_BUCKETS = ("<u2", "<u4")  # number, as the difference to the one before in its series; count
_FLOAT = Struct("<d")


def encode(slots: Mapping[StoredKey, Slot]) -> bytes:
    """The blob of one slot; when it was is not in it."""
    values = tuple(slots.values())
    names = orjson.dumps(list(slots))
    counts = np.frombuffer(b"".join([slot.counts for slot in values]), np.uint32)
    columns = [
        [slot.samples for slot in values],
        [slot.total for slot in values],
        [slot.maximum for slot in values],
        filled := [len(slot.numbers) // 2 for slot in values],
        _differences(np.frombuffer(b"".join([slot.numbers for slot in values]), np.uint16), filled),
        counts,
    ]
    planes = [_planes(np.array(column, kind)) for column, kind in zip(columns, _OF_SERIES + _OF_BUCKETS, strict=True)]
    head = _HEAD.pack(VERSION, len(values), len(counts), len(names))
    return zstandard.ZstdCompressor(LEVEL).compress(b"".join((head, names, *planes)))


class SlotsDecoder:
    """Reads the blobs of one query; the names, which hardly change, are parsed once."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor()
        self._known: dict[bytes, Mapping[StoredKey, int]] = {}
        self._chosen: dict[tuple[int, Choice], Sequence[int]] = {}

    def decode(self, second: int, blob: bytes, wanted: Sequence[StoredKey] | None = None) -> dict[StoredKey, Slot]:
        """The series of a blob, or those that are wanted and in it; raises ValueError for what is no blob."""
        places, columns = self._opened(blob)
        keys = [key for key in (places if wanted is None else wanted) if key in places]
        if not keys:
            return {}
        found = columns()
        return {key: found.slot(second, places[key]) for key in keys}

    def summed(self, second: int, blob: bytes, choices: Sequence[Choice], *, buckets: bool) -> list[Slot | None]:
        """For each choice all of its series in one slot; None: there is none of it."""
        places, columns = self._opened(blob)
        asked = [self._chosen_of(places, choice) for choice in choices]
        found = columns() if any(asked) else None
        return [found.sum(second, chosen, buckets=buckets) if found and chosen else None for chosen in asked]

    def _opened(self, blob: bytes) -> tuple[Mapping[StoredKey, int], Callable[[], _Columns]]:
        try:
            body = self._decompressor.decompress(blob, max_output_size=MAX_BYTES)
            version, series, filled, names_size = _HEAD.unpack_from(body)
        except (zstandard.ZstdError, error) as problem:
            raise ValueError(f"This is no blob of slots: {problem}") from problem
        if version != VERSION:
            raise ValueError(f"This blob of slots is of version {version}, which a newer console wrote.")
        first = _HEAD.size + names_size
        return self._places(body[_HEAD.size : first]), lambda: _Columns(body, first, series, filled)

    def _chosen_of(self, places: Mapping[StoredKey, int], choice: Choice) -> Sequence[int]:
        key = id(places), choice  # The places of the same names are one object.
        if key not in self._chosen:
            self._chosen[key] = tuple(place for of, place in places.items() if choice(of))
        return self._chosen[key]

    def _places(self, names: bytes) -> Mapping[StoredKey, int]:
        known = self._known.get(names)
        if known is None:
            pairs = enumerate(orjson.loads(names))
            known = {(metric, None if labels is None else tuple(labels)): place for place, (metric, labels) in pairs}
            self._known[names] = known
        return known


class _Columns:
    """The columns of one blob; only what is asked for is put together."""

    def __init__(self, body: bytes, at: int, series: int, filled: int) -> None:
        planes = []
        for kinds, size in ((_OF_SERIES, series), (_OF_BUCKETS, filled)):
            for kind in kinds:
                width = int(kind[2])
                planes.append(np.frombuffer(body, np.uint8, size * width, at).reshape(width, size))
                at += size * width
        self._samples, self._totals, self._maxima, sizes, self._differences, self._counts = planes
        self._ends = np.cumsum(_joined(sizes, "<u2"), dtype=np.int64).tolist()

    def slot(self, second: int, place: int) -> Slot:
        """One series."""
        return Slot(
            second,
            int.from_bytes(self._samples[:, place].tobytes(), "little"),
            _FLOAT.unpack(self._totals[:, place].tobytes())[0],
            _FLOAT.unpack(self._maxima[:, place].tobytes())[0],
            *self._buckets(place),
        )

    def sum(self, second: int, places: Sequence[int], *, buckets: bool) -> Slot:
        """Several series together."""
        if len(places) == 1 and buckets:
            return self.slot(second, places[0])
        chosen = list(places)
        return Slot(
            second,
            int(_joined(self._samples[:, chosen], "<u8").sum()),
            float(_joined(self._totals[:, chosen], "<f8").sum()),
            float(_joined(self._maxima[:, chosen], "<f8").max()),
            *(_added([self._buckets(place) for place in places]) if buckets else (b"", b"")),
        )

    def _buckets(self, place: int) -> tuple[bytes, bytes]:
        first, end = self._ends[place - 1] if place else 0, self._ends[place]
        numbers = np.cumsum(_joined(self._differences[:, first:end], "<u2"), dtype=np.uint16)
        if len(numbers) and numbers.max() >= BUCKETS:
            raise ValueError("This is no blob of slots: it names buckets that there are not.")
        counts = _joined(self._counts[:, first:end], "<u4").astype(np.uint32, copy=False)
        return numbers.tobytes(), counts.tobytes()


def _added(buckets: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """The filled buckets of several series as those of one."""
    numbers = np.frombuffer(b"".join([numbers for numbers, _ in buckets]), np.uint16)
    counts = np.frombuffer(b"".join([counts for _, counts in buckets]), np.uint32)
    sums = np.bincount(numbers, weights=counts)
    filled = np.flatnonzero(sums)
    return filled.astype(np.uint16).tobytes(), sums[filled].astype(np.uint32).tobytes()


def _joined(planes: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    return np.ascontiguousarray(planes.T).view(kind).ravel()


def _differences(numbers: NDArray[np.uint16], filled: Sequence[int]) -> NDArray[np.uint16]:
    """Each number less the one before; the first of each series as it is."""
    found = np.diff(numbers, prepend=np.uint16(0))
    starts = [start for start, size in zip(accumulate(filled, initial=0), filled, strict=False) if size]
    found[starts] = numbers[starts]
    return found


def _planes(values: NDArray[Any]) -> bytes:
    """The first bytes of all values, then the second ones, and so on."""
    return values.view(np.uint8).reshape(len(values), values.itemsize).T.tobytes() if len(values) else b""
