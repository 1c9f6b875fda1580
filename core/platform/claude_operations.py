"""ClaudeOperations: what an operator does to the asks of this process, each remembered with who did it and what it ran.

Owns the words for it. Refuses to act while it cannot be remembered. Nothing here changes the watched platform, so it is
allowed in every mode; all of it ends with the process.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields

from core.claude.parts import ClaudeParts
from core.claude.rehearsal import DialValues
from core.claude.scheduler.hold import HOLD_SECONDS_MOST
from core.errors import UsageError
from core.operations import Operation, OperationRequest, Operations, run_short

KIND = "claude"
HERE = "in this process only, until it is started again"


class ClaudeOperations:
    """Bound to Claude's loop."""

    def __init__(self, parts: ClaudeParts, operations: Operations) -> None:
        self._parts, self._operations = parts, operations
        self._dials_at_start = parts.dials.values

    async def hold(self, minutes: float, *, operator: str) -> Operation:
        """Send no background ask for so long; raises UsageError, OperationError, DependencyError."""
        if not 0 < minutes * 60 <= HOLD_SECONDS_MOST:
            raise UsageError(f"Background work is held for up to {HOLD_SECONDS_MOST / 3600:g} hours, not {minutes:g} minutes.")
        scheduler = self._parts.scheduler
        return await self._run(
            f"Hold background asks for {minutes:g} minutes", "hold", operator, self.hold_commands(minutes),
            lambda: scheduler.hold_background(minutes * 60, by=operator),
        )  # fmt: skip

    async def release(self, *, operator: str) -> Operation:
        """End the hold; raises what `hold` raises."""
        commands = self.release_commands()
        return await self._run("Release background asks", "hold", operator, commands, self._parts.scheduler.release_background)

    async def ask_claude(self, ask: bool, *, operator: str) -> Operation:
        """Keep every ask of this process from Claude, or let the breaker decide again, with an empty window."""
        breaker = self._parts.scheduler.breaker
        title = "Ask Claude again" if ask else "Keep asks from Claude"

        def act() -> None:
            if ask:
                breaker.automatic(operator)
            else:
                breaker.open(operator, "kept away by hand")

        return await self._run(title, "breaker", operator, self.ask_claude_commands(ask), act)

    async def turn_dials(self, values: DialValues, *, operator: str) -> Operation:
        """Rehearse with these dials from the next request on; raises UsageError where a key is set."""
        if self._parts.scope != "rehearsal":
            raise UsageError("Claude itself answers: there is nothing to rehearse.", "Unset ANTHROPIC_API_KEY to rehearse.")
        changes = {item.name: getattr(values, item.name) for item in fields(DialValues)}
        return await self._run(
            "Turn the dials of the rehearsal", "dials", operator, dial_lines(values),
            lambda: self._parts.dials.change(**changes),
        )  # fmt: skip

    def dials_at_start(self) -> DialValues:
        """What the settings of this process say."""
        return self._dials_at_start

    def hold_commands(self, minutes: float) -> tuple[str, ...]:
        """What `hold` does."""
        return (f"scheduler: hold background asks for {minutes * 60:g} s, {HERE}",)

    def release_commands(self) -> tuple[str, ...]:
        """What `release` does."""
        return ("scheduler: release background asks",)

    def ask_claude_commands(self, ask: bool) -> tuple[str, ...]:
        """What `ask_claude` does."""
        return (f"circuit breaker claude: {'automatic, with an empty window' if ask else 'open'}, {HERE}",)

    async def _run(
        self, title: str, key: str, operator: str, commands: tuple[str, ...], act: Callable[[], object]
    ) -> Operation:
        """Do it as an operation, and return when it is over."""

        async def work() -> dict[str, str]:
            act()
            return {"breaker": self._parts.scheduler.breaker.state}

        request = OperationRequest(kind=KIND, key=f"{KIND}:{key}", title=title, operator=operator, commands=commands)
        return await run_short(self._operations, request, work)


def dial_lines(values: DialValues) -> tuple[str, ...]:
    """The dials as the settings that have the same from the next start on; those that have no setting are told."""
    faults = ", ".join(f"{word}:{share:g}" for word, share in values.faults.shares() if share)
    limits = (
        (f"{name} {limit:,.0f} a minute" if limit is not None else f"{name} without limit")
        for name, limit in (
            ("requests", values.requests_per_minute),
            ("input tokens", values.input_tokens_per_minute),
            ("output tokens", values.output_tokens_per_minute),
        )
    )
    speed = "inf" if math.isinf(values.tokens_per_second) else f"{values.tokens_per_second:g}"
    return (
        f"REHEARSAL_FIRST_TOKEN_SECONDS={values.first_token_seconds:g}",
        f"REHEARSAL_TOKENS_PER_SECOND={speed}",
        f'REHEARSAL_FAULTS="{faults}"',
        f"# rehearsal limits, {HERE}: {', '.join(limits)}; retry-after {values.retry_after_seconds} s",
    )
