"""Slots: what one series did in each second of the last minutes, and in each ten seconds and each minute of the last hour.

Owns the memory: a slot keeps only the buckets that hold something, and a second without samples has no slot. Every window is
a plain sum of slots, hence exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain, takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.monitor.buckets import BUCKETS, bucket_numbers

TEN, MINUTE = 10, 60
LEAD_SECONDS = 60  # A point of a chart may look this far back for enough samples.
SECONDS_KEPT = 300 + LEAD_SECONDS
TENS_KEPT_SECONDS = 3_600 + 300


class Slot(NamedTuple):
    """The samples of one slot: the second in which it starts, and the filled buckets with their counts."""

    second: int
    samples: int
    total: float
    maximum: float
    numbers: bytes  # uint16
    counts: bytes  # uint32


class SlotSeries:
    """The slots of one series; the caller serialises."""

    __slots__ = ("_newest_minute", "_newest_ten", "minutes", "seconds", "tens")

    def __init__(self) -> None:
        self.seconds: deque[Slot] = deque()
        self.tens: deque[Slot] = deque()
        self.minutes: deque[Slot] = deque()
        self._newest_ten: deque[Slot] = deque()
        self._newest_minute: deque[Slot] = deque()  # The tens of it.

    def add(self, slot: Slot) -> None:
        """Take the next slot; the same second may come again."""
        second = slot.second
        if self._newest_ten and self._newest_ten[0].second // TEN != second // TEN:
            self._close(merged(self._newest_ten[0].second // TEN * TEN, self._newest_ten))
            self._newest_ten.clear()
        self._newest_ten.append(slot)
        self.seconds.append(slot)

    def forget(self, now: int) -> None:
        """Drop what no window reaches any more."""
        long = (self.tens, self.minutes, self._newest_ten, self._newest_minute)
        for slots, kept in ((self.seconds, SECONDS_KEPT), *((slots, TENS_KEPT_SECONDS) for slots in long)):
            while slots and slots[0].second < now - kept:
                slots.popleft()

    def since(self, first: int, *, tens: bool) -> list[Slot]:
        """The slots that start at `first` or later; with `tens`, the closed ones of ten seconds and what follows them."""
        chosen = (self._newest_ten, self.tens) if tens else (self.seconds,)
        # From the newest backwards: a refresh of a chart wants the last minute of an hour.
        newest_first = [slot for slots in chosen for slot in takewhile(lambda slot: slot.second >= first, reversed(slots))]
        return newest_first[::-1]

    def sums(self, first: int) -> list[Slot]:
        """The fewest slots that hold the same as those of ten seconds since `first`: minutes where they are whole."""
        whole = -(-first // MINUTE) * MINUTE
        head = [slot for slot in takewhile(lambda slot: slot.second < whole, self.tens) if slot.second >= first]
        rest = [slot for slot in chain(self.minutes, self._newest_minute) if slot.second >= whole]
        return [*head, *rest, *(slot for slot in self._newest_ten if slot.second >= first)]

    def _close(self, ten: Slot) -> None:
        newest = self._newest_minute
        if newest and newest[0].second // MINUTE != ten.second // MINUTE:
            self.minutes.append(merged(newest[0].second // MINUTE * MINUTE, newest))
            newest.clear()
        newest.append(ten)
        self.tens.append(ten)


def folded(second: int, values: NDArray[np.float64]) -> Slot:
    """A slot of clean values."""
    numbers, counts = np.unique(bucket_numbers(values), return_counts=True)
    return Slot(
        second,
        len(values),
        float(values.sum()),
        float(values.max()),
        numbers.astype(np.uint16).tobytes(),
        counts.astype(np.uint32).tobytes(),
    )


def counted(second: int, amount: int) -> Slot:
    """A slot of a counter, which has no buckets."""
    return Slot(second, amount, 0.0, 0.0, b"", b"")


def merged(second: int, slots: Iterable[Slot]) -> Slot:
    """One slot that holds all of these."""
    slots = tuple(slots)
    sums = histogram(slots)
    numbers = np.flatnonzero(sums)
    return Slot(
        second,
        sum(slot.samples for slot in slots),
        sum(slot.total for slot in slots),
        max(slot.maximum for slot in slots),
        numbers.astype(np.uint16).tobytes(),
        sums[numbers].astype(np.uint32).tobytes(),
    )


def histogram(slots: Iterable[Slot]) -> NDArray[np.int64]:
    """How many samples each bucket holds in all of these slots together."""
    slots = tuple(slots)
    numbers = np.frombuffer(b"".join([slot.numbers for slot in slots]), np.uint16)
    counts = np.frombuffer(b"".join([slot.counts for slot in slots]), np.uint32)
    # The weights are float64: exact up to 2^53 samples.
    return np.bincount(numbers, weights=counts, minlength=BUCKETS).astype(np.int64)
