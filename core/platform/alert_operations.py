"""AlertOperations: what an operator does about alerts, each remembered with who did it and why.

Owns the audit. Where the store does not answer it is done all the same: an outage is when alerts are silenced, and who and why
stand in the incident itself, which is written when the store is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from core.errors import DependencyError, OperationError, UsageError
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.notifier import Delivery
from core.monitor.alerts.words import lasting
from core.operations import OperationRequest, Operations, run_short

log = logging.getLogger(__name__)

KIND = "alert"


class AlertOperations:
    """Bound to the alerts' loop."""

    def __init__(self, alerts: Alerts, operations: Operations) -> None:
        self._alerts = alerts
        self._operations = operations

    async def acknowledge(self, key: str, *, why: str, seconds: float, operator: str) -> None:
        """Say that somebody looks after an incident; raises UsageError."""

        async def act() -> Mapping[str, Any]:
            incident = await self._alerts.acknowledge(key, who=operator, why=why, seconds=seconds)
            return {"incident": key, "title": incident.title, "why": why, "seconds": seconds}

        await self._do(f"Acknowledge incident {key}", f"acknowledge:{key}", operator, act)

    async def silence(self, rule: str, *, why: str, seconds: float, operator: str) -> None:
        """Have a rule, or all of them, tell nobody for a time; raises UsageError."""

        async def act() -> Mapping[str, Any]:
            made = await self._alerts.silence(rule, who=operator, why=why, seconds=seconds)
            return {"silence": made.key, "rule": rule, "why": why, "seconds": seconds}

        await self._do(f"Silence {'everything' if rule == '*' else rule}", f"silence:{rule}", operator, act)

    async def end_silence(self, key: str, *, operator: str) -> None:
        """Let a silenced rule tell again; raises UsageError."""

        async def act() -> Mapping[str, Any]:
            ended = await self._alerts.end_silence(key, who=operator)
            return {"silence": key, "rule": ended.rule}

        await self._do(f"End silence {key}", f"end-silence:{key}", operator, act)

    async def change_rule(
        self, rule: str, values: Mapping[str, Any], *, why: str, operator: str, seen_at: float | None = None
    ) -> None:
        """Judge a rule by other numbers, or by the shipped ones where there are no values; raises UsageError.

        `seen_at` is when the numbers were given that the operator looked at (None: the shipped ones): who comes later is
        told that somebody else was faster, and changes nothing.
        """

        async def act() -> Mapping[str, Any]:
            self._check_seen(rule, seen_at)
            before = self._alerts.book.changes.get(rule)
            await self._alerts.change_rule(rule, values, who=operator, why=why)
            return {"rule": rule, "values": dict(values), "before": dict(before.values) if before else {}, "why": why}

        title = f"Change the rule {rule}" if values else f"Set the rule {rule} back to what was shipped"
        await self._do(title, f"rule:{rule}", operator, act)

    def _check_seen(self, rule: str, seen_at: float | None) -> None:
        made = self._alerts.book.changes.get(rule)
        if made is not None and made.at != seen_at:
            raise UsageError(
                f"{made.who} changed it meanwhile, {lasting(max(0.0, time.time() - made.at))} ago: {made.why}.",
                "Look at the numbers in use now, and save again if yours are still right.",
            )

    async def test(self, *, operator: str) -> Delivery:
        """Send a test to whom a critical alert would go."""
        box: list[Delivery] = []

        async def act() -> Mapping[str, Any]:
            box.append(await self._alerts.test(who=operator))
            return {"error": box[0].error}

        await self._do("Test of the notifications", "test", operator, act)
        return box[0]

    async def _do(self, title: str, key: str, operator: str, act: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        """Do it once: as an operation, and without one where that cannot be remembered now."""
        done: list[UsageError | None] = []

        async def once() -> Mapping[str, Any]:
            try:
                result = await act()
            except UsageError as error:
                done.append(error)
                raise
            done.append(None)
            return result

        try:
            request = OperationRequest(kind=KIND, key=f"{KIND}:{key}", title=title, operator=operator)
            await run_short(self._operations, request, once)
        except (DependencyError, OperationError) as error:
            if not done:
                log.warning("alert_operation_unrecorded title=%r operator=%r error=%r", title, operator, str(error))
                await act()
        if done and done[0] is not None:
            raise done[0]
