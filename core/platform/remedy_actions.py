"""RemedyAction: what a remedy really does: a plan that can be read before, the doing, and how it is taken back.

Owns the data between a remedy and who runs it. A plan changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from core.monitor.remediation.effect import Figure
from core.ports import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """For which rule a remedy is asked, by whom; `everyone`: also what harms nobody now, as an operator may ask by hand."""

    rule: str
    who: str
    by_hand: bool = False
    everyone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it would do now, and why so; a `refusal` says why it would do nothing. `subject` is the action's own."""

    does: tuple[str, ...] = ()
    why: str = ""
    commands: tuple[str, ...] = ()
    refusal: str = ""
    next_step: str = ""
    subject: Any = None


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, as one says it; `changed` False: nothing that could have an effect."""

    text: str
    changed: bool = True


class RemedyAction(Protocol):
    """One remedy's doing; bound to the services' loop."""

    async def plan(self, call: Call, /) -> Plan:
        """What it would do; raises CoreError where that cannot be told."""
        ...

    async def act(self, plan: Plan, call: Call, progress: Progress, /) -> Done:
        """Do it; raises CoreError. May be cancelled."""
        ...

    def undo(self) -> str:
        """Take back what is in force, at once; says what that was, empty where there is nothing."""
        ...

    async def figure(self) -> Figure | None:
        """The figure to judge it by now, where it is not that of a rule; raises CoreError."""
        ...
