"""ProofSummary: what is kept of a proof when the process that measured it is gone.

Owns its form as JSON: times and figures of both sides, the verdict, the shapes of the plans. Refuses to keep parameters, and
the conditions of plans, which have them in their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.database.proof import Figures, Proof, ProofVerdict, figures
from core.database.replay import MeasuredSet

PLACES = 6  # Of seconds: whole microseconds.


@dataclass(frozen=True, slots=True)
class MeasuredSide:
    """One side: its figures, and the seconds of each parameter set, in the same order on both sides."""

    figures: Figures
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSummary:
    """Before and after without their parameters; the plans are those of the set that was slowest before, as their shapes."""

    query: str
    verdict: ProofVerdict
    reason: str
    pairs: int
    before: MeasuredSide
    after: MeasuredSide
    other_rows: int
    changed_plans: int
    change: str
    plan_before: tuple[str, ...]
    plan_after: tuple[str, ...]

    @classmethod
    def of(cls, proof: Proof) -> ProofSummary:
        """What is kept of this proof."""
        old, new = proof.example
        return cls(
            query=proof.query,
            verdict=proof.verdict,
            reason=proof.reason,
            pairs=proof.pairs,
            before=MeasuredSide(proof.before, _rounded(pair[0] for pair in proof.seconds)),
            after=MeasuredSide(proof.after, _rounded(pair[1] for pair in proof.seconds)),
            other_rows=proof.other_rows,
            changed_plans=proof.changed_plans,
            change=proof.change.sentence,
            plan_before=old.plan.shape(),
            plan_after=new.plan.shape(),
        )

    def to_json(self) -> dict[str, Any]:
        """As an operation's result has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object) -> ProofSummary | None:
        """The summary in a result; None for anything else, such as one that another version wrote."""
        if not isinstance(values, Mapping) or any(item.name not in values for item in fields(cls)):
            return None
        try:
            return cls(**{
                **{item.name: values[item.name] for item in fields(cls)},
                "before": _side(values["before"]),
                "after": _side(values["after"]),
                "plan_before": tuple(values["plan_before"]),
                "plan_after": tuple(values["plan_after"]),
            })  # fmt: skip
        except (KeyError, TypeError, ValueError):
            return None


def measured_side(sets: Sequence[MeasuredSet]) -> MeasuredSide:
    """One side alone."""
    return MeasuredSide(figures(sets), _rounded(item.seconds for item in sets))


def _side(values: Any) -> MeasuredSide:
    return MeasuredSide(Figures(**values["figures"]), tuple(float(item) for item in values["seconds"]))


def _rounded(seconds: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(item, PLACES) for item in seconds)
