"""FaultSequence: which answer goes wrong, drawn one after the other from the seed of the dials."""

from __future__ import annotations

import random

from core.claude.rehearsal.dials import DialValues, Faults, FaultWord


class FaultSequence:
    """The same dials give the same sequence; it starts anew when shares or seed change."""

    def __init__(self) -> None:
        self._of: tuple[Faults, int] | None = None
        self._draw = random.Random().random  # noqa: S311 - chooses faults of a rehearsal
        self._ends: list[tuple[float, FaultWord]] = []

    def next(self, dials: DialValues) -> FaultWord | None:
        """The fault of the next answer, or None."""
        if self._of != (dials.faults, dials.seed):
            self._start(dials)
        if not self._ends:
            return None
        drawn = self._draw()
        return next((word for end, word in self._ends if drawn < end), None)

    def _start(self, dials: DialValues) -> None:
        self._of = (dials.faults, dials.seed)
        self._draw = random.Random(dials.seed).random  # noqa: S311 - chooses faults of a rehearsal
        self._ends, end = [], 0.0
        for word, share in dials.faults.shares():
            end += share
            if share > 0:
                self._ends.append((end, word))
