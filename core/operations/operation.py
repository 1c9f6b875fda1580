"""Operation: what takes long and is remembered; the data that crosses the border of Operations.

Owns the words for the states. Everything here is frozen; what was given is JSON without secrets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.ports import Progress

State = Literal["running", "done", "failed", "cancelled", "interrupted"]

Work = Callable[[Progress], Awaitable[Mapping[str, Any]]]
"""What an operation runs: it reports to the Progress, returns a JSON result, and ends when asyncio cancels it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """What is to be run, by whom, and under which key one runs at a time over all processes.

    `operator` is "local operator" or "cli <user>@<host>"; `commands` are the exact SQL, Redis and CLI lines that it runs.
    """

    kind: str
    key: str
    title: str
    operator: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    resumable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation as last known; times in UTC, `total` 0 means unknown, rates per second over the last ten seconds."""

    id: int
    kind: str
    key: str
    title: str
    operator: str
    parameters: Mapping[str, Any]
    commands: tuple[str, ...]
    resumable: bool
    state: State
    what: str
    done: int
    total: int
    rate_per_second: float | None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    cancelled_by: str | None
    result: Mapping[str, Any] | None
    error: str
    next_step: str
    host: str
    pid: int
    pausable: bool = False
    paused_by: str | None = None

    @property
    def running(self) -> bool:
        """Whether it is not over yet."""
        return self.state == "running"

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until it is done at the present rate; None when the total or the rate is unknown."""
        if not self.running or not self.rate_per_second or self.total <= 0:
            return None
        return max(0, self.total - self.done) / self.rate_per_second

    @property
    def duration_seconds(self) -> float:
        """Seconds from its start to its end, or to the last word of it."""
        return ((self.finished_at or self.updated_at) - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Started:
    """The operation that runs now under the key; `created` False: it ran already, whoever started it."""

    operation: Operation
    created: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What a list of operations can be narrowed to: the kinds and operators that occur."""

    kinds: tuple[str, ...]
    operators: tuple[str, ...]
