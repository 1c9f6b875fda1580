"""SlotCollector: makes rows of what the recorder has closed.

Owns which ten seconds and which minute come next. A clock that is set ends a minute early: each row lies on one clock.
"""

from __future__ import annotations

import threading

from core.monitor.history.codec import encode
from core.monitor.history.grains import MINUTES, TENS, StoredSlot
from core.monitor.recorder import Recorder
from core.monitor.slots import TENS_KEPT_SECONDS, merged


class SlotCollector:
    """Keeps what it made until it is taken, so that who stops waiting for a thread loses nothing; safe from any thread."""

    def __init__(self, recorder: Recorder, process: int, labelled: frozenset[str] = frozenset()) -> None:
        """`labelled` are the metrics whose labelled series are in the rows of ten seconds, too."""
        self._recorder = recorder
        self._labelled_tens = labelled
        self._process = process
        self._next = _floor(recorder.closed_until(), TENS.seconds)
        self._shift_seconds = recorder.shift_seconds()
        self._minute_first = self._next
        self._parts = 0
        self._made: list[StoredSlot] = []
        self._making = threading.Lock()

    def collect(self) -> None:
        """Make the rows of every slot that ended since the last call."""
        with self._making:
            self._collect()

    def finish(self) -> None:
        """Make the rest, with the slots that have not ended."""
        with self._making:
            self._collect()
            self._made += [*self._ten(), *self._minute()]

    def take(self) -> list[StoredSlot]:
        """The rows that were made and not taken."""
        with self._making:
            made, self._made = self._made, []
        return made

    def _collect(self) -> None:
        end = _floor(self._recorder.closed_until(), TENS.seconds)
        if self._next < end - TENS_KEPT_SECONDS:  # The process slept; the recorder has forgotten.
            self._next = self._minute_first = end - TENS_KEPT_SECONDS
        while self._next < end:
            self._made += self._ten()

    def _ten(self) -> list[StoredSlot]:
        rows, shift = [], self._recorder.shift_seconds()
        if shift != self._shift_seconds:
            rows += self._minute()
            self._shift_seconds = shift
        ten = self._next
        self._next += TENS.seconds
        if row := self._row(TENS.seconds, ten, ten, 1):
            self._parts += 1
            rows.append(row)
        return rows + (self._minute() if self._next % MINUTES.seconds == 0 else [])

    def _minute(self) -> list[StoredSlot]:
        first, self._minute_first = self._minute_first, self._next
        parts, self._parts = self._parts, 0
        row = self._row(MINUTES.seconds, _floor(first, MINUTES.seconds), first, parts) if parts else None
        return [row] if row else []

    def _row(self, grain_seconds: int, begin: int, first: int, parts: int) -> StoredSlot | None:
        """The slot that begins at `begin` with what happened from `first` to now."""
        totals = self._blob(first, labelled=False)
        if totals is None:
            return None
        metrics = None if grain_seconds == MINUTES.seconds else self._labelled_tens
        labelled = self._blob(first, labelled=True, metrics=metrics) if metrics is None or metrics else None
        second = begin + self._shift_seconds
        return StoredSlot(grain_seconds, second, self._process, self._shift_seconds, parts, totals, labelled)

    def _blob(self, first: int, *, labelled: bool, metrics: frozenset[str] | None = None) -> bytes | None:
        found = self._recorder.slots(first, self._next, labelled=labelled, metrics=metrics)
        return encode({key: slots[0] if len(slots) == 1 else merged(first, slots) for key, slots in found}) if found else None


def _floor(second: int, step: int) -> int:
    return second - second % step
