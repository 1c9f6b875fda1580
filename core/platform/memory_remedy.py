"""MemoryRemedy: halves what the memory tier holds, and gives freed memory back to the system.

Owns the limit that it lowered, until it restores it. Evicting alone leaves the memory with the allocator: of 150 MiB, half
evicted, the RSS stayed at 163 MiB and a full collection found nothing; `malloc_trim` made it 94 MiB in 3 ms.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import time
from collections.abc import Callable

from core.cache.memory_tier import MemoryTier
from core.monitor import Recorder
from core.monitor.remediation.effect import Figure
from core.platform.remedy_actions import Call, Done, Plan
from core.platform.units import duration, size
from core.ports import Progress

log = logging.getLogger(__name__)

SHARE = 0.5
LEAST_SHARE_OF_RSS = 0.03  # Less than that would not be seen in the figure that it is judged by.
# A full collection stops every thread: 188 ms with 2 million containers, for nothing where no cycles are garbage. So it is run
# only where those of this process found garbage so far, and none of them was long.
GARBAGE_EACH, GC_PAUSE_MOST_SECONDS, GC_LOOKED_BACK_SECONDS = 10_000, 0.05, 3_600


class MemoryRemedy:
    """See RemedyAction; `rss` answers the memory of this process in bytes, None where that cannot be read."""

    def __init__(self, memory: MemoryTier, monitor: Recorder, rss: Callable[[], int | None]) -> None:
        self._memory, self._monitor, self._rss = memory, monitor, rss
        self._lowered_from: int | None = None

    async def plan(self, _call: Call, /) -> Plan:
        """How much would go, and why that is worth it or not."""
        stats, rss = self._memory.stats(), self._rss()
        if rss is None:
            return Plan(refusal="The memory of this process cannot be read.", next_step="Look at the machine's own tools.")
        going = stats.size_bytes - int(stats.size_bytes * SHARE)
        held = f"The memory tier holds {size(stats.size_bytes)} of the {size(rss)} of this process"
        if going < rss * LEAST_SHARE_OF_RSS:
            step = "Look for what else grows: the largest processes with `ps aux --sort=-rss | head`."
            return Plan(refusal=f"{held}: half of that would free nothing worth it.", next_step=step)
        limit = stats.size_bytes - going
        return Plan(
            does=(f"Lets {size(going)} of it go: its limit is {size(limit)} instead of {size(stats.max_bytes)}.",
                  "Gives what that frees back to the system, and says the memory of this process before and after."),
            why=f"{held}.",
            commands=(f"memory tier: at most {limit} bytes, in this process only", "malloc_trim(0)"),
            subject=limit,
        )  # fmt: skip

    async def act(self, plan: Plan, _call: Call, _progress: Progress, /) -> Done:
        """Shrink in a thread, in steps that no read waits for."""
        before, began = self._rss() or 0, self._memory.stats()
        if self._lowered_from is None:
            self._lowered_from = began.max_bytes
        evicted = await asyncio.to_thread(self._memory.limit_to, plan.subject)
        trimmed = await asyncio.to_thread(_give_back)
        collected = await asyncio.to_thread(self._collect)
        after = self._rss() or 0
        went = began.size_bytes - self._memory.stats().size_bytes
        log.info("memory_shrunk evicted=%s went=%s rss_before=%s rss_after=%s", evicted, went, before, after)
        freed = f"the memory of this process was {size(before)} and is {size(after)}"
        return Done(f"{plan.why} {evicted:,} entries of {size(went)} went; {freed}. {trimmed} {collected}")

    def undo(self) -> str:
        """Restore the limit; what went is loaded again when it is asked for."""
        if self._lowered_from is None:
            return ""
        limit, self._lowered_from = self._lowered_from, None
        self._memory.limit_to(limit)
        return f"the memory tier may hold {size(limit)} again"

    async def figure(self) -> Figure | None:
        """The rule's."""
        return None

    def _collect(self) -> str:
        """Collect garbage only where that has found any, and where it was short; the pause is logged."""
        full = gc.get_stats()[-1]
        each = full["collected"] / full["collections"] if full["collections"] else 0.0
        longest = self._monitor.total("gc_pause_seconds", GC_LOOKED_BACK_SECONDS).max or 0.0
        if each < GARBAGE_EACH:
            return "The collector was not run: its full runs found next to nothing here."
        if longest > GC_PAUSE_MOST_SECONDS:
            return f"The collector was not run: its longest pause in an hour was {duration(longest)}."
        began = time.perf_counter()
        found = gc.collect()
        pause = time.perf_counter() - began
        log.info("memory_collected objects=%s pause_seconds=%.4f", found, pause)
        return f"The collector found {found:,} objects in {duration(pause)}."


def _give_back() -> str:
    """Ask the allocator to return what it holds free; only glibc's can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return "This system's allocator cannot be asked to give memory back."
    began = time.perf_counter()
    trim(0)
    return f"malloc_trim took {duration(time.perf_counter() - began)}."
