"""Silence: an operator's word that a rule, or all of them, tell nobody for a time; they are judged and shown as ever."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EVERYTHING = "*"
SILENCE_MOST_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Of one rule, or of EVERYTHING; times in seconds since 1970."""

    key: str
    rule: str
    who: str
    why: str
    begun_at: float
    until: float
    ended_by: str = ""

    def holds(self, now: float) -> bool:
        """Whether it holds now."""
        return not self.ended_by and now < self.until


def silenced(silences: Iterable[Silence], rules: Sequence[str], now: float) -> frozenset[str]:
    """The rules that tell nobody now."""
    names = {silence.rule for silence in silences if silence.holds(now)}
    return frozenset(rules) if EVERYTHING in names else frozenset(names)
