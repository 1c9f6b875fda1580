"""Pause: where a work waits between two steps while an operator holds its operation.

Owns the waiting. Refuses to interrupt a step: what has begun is finished.
"""

from __future__ import annotations

import asyncio


class Pause:
    """Given to `Operations.start` together with a work that calls `wait` between its steps; of one loop."""

    def __init__(self) -> None:
        self._go = asyncio.Event()
        self._go.set()

    @property
    def held(self) -> bool:
        """Whether the work is to wait now."""
        return not self._go.is_set()

    async def wait(self) -> None:
        """Return at once, or when the operation is resumed."""
        await self._go.wait()

    def hold(self, held: bool) -> None:
        """Hold the work at its next step, or let it go on."""
        if held:
            self._go.clear()
        else:
            self._go.set()
