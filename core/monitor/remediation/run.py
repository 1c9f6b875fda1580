"""RemedyRun: one run of a remedy, from the reason for it to what came of it; frozen, every change is a new one.

Owns its form in the record of operations. Times are steady seconds since 1970 (`core.monitor.clock`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.monitor.remediation.effect import Effect, Figure

Phase = Literal["acting", "judging", "in force", "over", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyRun:
    """One run: for which rule and incident, by whom and why, what it did, the figure on both sides, and what came of it.

    `undone` says why what it changed was taken back; empty where it was not, or there was nothing to take back. `stopped_by`
    is the operator who ended it early.
    """

    key: str
    remedy: str
    rule: str
    incident: str
    who: str
    why: str
    began_at: float
    by_hand: bool
    phase: Phase = "acting"
    did: str = ""
    before: Figure | None = None
    after: Figure | None = None
    effect: Effect | None = None
    reason: str = ""
    undone: str = ""
    stopped_by: str = ""
    ended_at: float | None = None

    @property
    def going_on(self) -> bool:
        """Whether it acts, is judged, or what it changed is still in force."""
        return self.phase in ("acting", "judging", "in force")


def to_document(run: RemedyRun, shift_seconds: float) -> dict[str, Any]:
    """As JSON, in seconds of the wall clock."""
    document = asdict(run)
    document["began_at"] += shift_seconds
    document["ended_at"] = None if run.ended_at is None else run.ended_at + shift_seconds
    return document


def from_document(document: Mapping[str, Any], shift_seconds: float) -> RemedyRun:
    """Out of JSON; raises TypeError or KeyError for what another version wrote in another form."""
    values = dict(document)
    for side in ("before", "after"):
        values[side] = Figure(**values[side]) if values[side] else None
    values["began_at"] -= shift_seconds
    values["ended_at"] = None if values["ended_at"] is None else values["ended_at"] - shift_seconds
    return RemedyRun(**values)
