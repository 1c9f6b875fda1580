"""WarmRecords: the warm runs of all processes as the console's store remembers them.

Owns the way from an operation to a run, its report and what it bought.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from core.cache.redis_tier import Gain
from core.cache.warming.estimate import Measured
from core.cache.warming.schedule import PastRun
from core.cache.warming.warmer import WarmReport
from core.operations import Operation, Operations

KIND = "warm"
REMEMBERED = 1_000  # Runs that the schedule and the estimates look back on.


@dataclass(frozen=True, slots=True)
class WarmRunRecord:
    """One run: its operation, its report once it is done, and what its entries bought so far (None: it cannot be told now)."""

    operation: Operation
    report: WarmReport | None
    gain: Gain | None

    @property
    def run(self) -> str:
        """The name that its entries carry."""
        return run_of(self.operation)


class WarmRecords:
    """Reads runs; raises DependencyError or OperationError while the store cannot answer."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def operations(self, limit: int = REMEMBERED) -> tuple[Operation, ...]:
        """The newest runs of all plans, newest first."""
        return await self._operations.list(kind=KIND, limit=limit)

    async def past(self) -> tuple[PastRun, ...]:
        """The newest runs of all plans as the schedule sees them."""
        return tuple(past_run(operation) for operation in await self.operations())

    async def measured(self, plan: str) -> Measured | None:
        """What the loads of the plan's last run took."""
        for operation in await self.operations():
            report = report_of(operation)
            if report is not None and report.plan == plan and report.loaded:
                return Measured(report.loaded, report.seconds, report.load_seconds)
        return None


def plan_of(operation: Operation) -> str:
    """The name of the plan."""
    return str(operation.parameters.get("plan", ""))


def run_of(operation: Operation) -> str:
    """The name of the run; one that was continued keeps it."""
    return str(operation.parameters.get("run", ""))


def past_run(operation: Operation) -> PastRun:
    """A run as the schedule sees it."""
    report = report_of(operation)
    ready_at = operation.parameters.get("ready_at")
    return PastRun(
        number=operation.id,
        plan=plan_of(operation),
        state=operation.state,
        started_at=operation.started_at,
        finished_at=operation.finished_at,
        ready_at=datetime.fromisoformat(ready_at) if ready_at else None,
        seconds=report.seconds if report is not None else 0.0,
        error=operation.error,
        cancelled_by=operation.cancelled_by,
    )


def report_of(operation: Operation) -> WarmReport | None:
    """The report of a run that was done; None for one that is not, or that another had done before it."""
    return from_result(operation.result)


def from_result(result: Mapping[str, Any] | None) -> WarmReport | None:
    """The report in an operation's result."""
    names = [item.name for item in fields(WarmReport)]
    if result is None or not all(name in result for name in names):
        return None
    values = {name: result[name] for name in names}
    return WarmReport(**{**values, "reasons": tuple(values["reasons"])})
