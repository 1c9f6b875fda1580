"""Coverage: how much of a stretch of time the history knows, and where it knows nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAP_SECONDS = 120  # Shorter than that is a restart.


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of `asked_seconds` up to `end`; `gaps` are (begin, end) in seconds since 1970, after the first slot that is known."""

    asked_seconds: int
    known_seconds: int
    step_seconds: int
    first: int | None
    end: int
    gaps: tuple[tuple[int, int], ...]

    @property
    def gap_seconds(self) -> int:
        """How long all gaps are together."""
        return sum(end - begin for begin, end in self.gaps)

    @property
    def shown_seconds(self) -> int:
        """What there is something to see of: from the first slot on, all that was asked for where there is none."""
        return self.asked_seconds if self.first is None else self.end - self.first

    @classmethod
    def of(cls, known: NDArray[np.bool_], first: int, step_seconds: int) -> Coverage:
        """Of slots that begin at `first`, one after the other."""
        size, there = len(known), np.flatnonzero(known)
        end = first + size * step_seconds
        if not len(there):
            return cls(size * step_seconds, 0, step_seconds, None, end, ())
        places = np.concatenate((there, [size]))
        begins = first + (places[:-1] + 1) * step_seconds
        ends = first + places[1:] * step_seconds
        long = ends - begins >= max(GAP_SECONDS, 2 * step_seconds)
        gaps = tuple(zip(begins[long].tolist(), ends[long].tolist(), strict=True))
        begun = first + int(there[0]) * step_seconds
        return cls(size * step_seconds, len(there) * step_seconds, step_seconds, begun, end, gaps)
