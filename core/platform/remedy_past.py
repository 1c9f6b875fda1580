"""RemedyPast: what earlier runs of the console left: the runs on record, and who switched what to run by itself.

Owns the task that reads them once the store answers, and writes what was switched since. What another run left in force ended
with it, since limits live in memory; that is told in the incident's story.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.errors import CoreError
from core.monitor.alerts.alerts import Alerts
from core.monitor.clock import SteadyClock
from core.monitor.remediation.book import Choice, RemedyBook
from core.monitor.remediation.records import RemedyRecords
from core.monitor.remediation.run import RemedyRun, from_document
from core.operations import Operation, Operations

log = logging.getLogger(__name__)

KEEP_SECONDS = 2.0
RENEW_SECONDS = 1.0
LOOKED_AT = 100
# A console that was killed left operations that are said to run; they count as interrupted within seconds.
SETTLED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Untold:
    """Something for the story of an incident that may not be read yet."""

    incident: str
    text: str


class RemedyPast:
    """Bound to the remedies' loop."""

    def __init__(
        self,
        book: RemedyBook,
        records: RemedyRecords,
        operations: Operations,
        clock: SteadyClock,
        store_ready: Callable[[], bool],
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        self._book, self._records, self._operations, self._clock = book, records, operations, clock
        self._store_ready, self._keep_seconds = store_ready, keep_seconds
        self._began_at = clock.now()
        self.settled = False
        self._untold: dict[int, Untold] = {}
        self._told: set[int] = set()
        self._loaded = False
        self.error = ""

    async def keep(self) -> None:
        """Read what was left, then write what is switched; again and again while the store is away."""
        while True:
            await asyncio.sleep(self._keep_seconds)
            if not self._store_ready():
                continue
            try:
                await self.step()
                self._say("")
            except Exception as error:  # noqa: BLE001 - nothing may end the writer; what it was is logged and shown.
                self._say(str(error) or type(error).__name__)

    async def step(self) -> None:
        """Once; raises what the store raises."""
        if not self.settled:
            choices = [] if self._loaded else await self._records.load()
            left = await self._take_up(choices)
            self._loaded = True
            self.settled = not left or self._clock.now() - self._began_at > SETTLED_SECONDS
        await self._records.write(self._book.unwritten)

    async def renew(self) -> None:
        """Take up what other consoles have run since; while the store is away what is known has to do."""
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                await self._take_up(())
        except (CoreError, TimeoutError) as error:
            log.warning("remedy_runs_unread error=%r", str(error))

    async def _take_up(self, choices: Sequence[Choice]) -> bool:
        """Take up the runs on record; whether one is said to run elsewhere."""
        operations = await self._operations.list(kind="remedy", limit=LOOKED_AT)
        runs = [run for run in map(self._run_of, operations) if run is not None]
        self._book.restore(choices, runs)
        return any(self._foreign(item) and item.running for item in operations)

    def tell(self, alerts: Alerts) -> None:
        """Put into the stories what was left, as soon as their incidents are known."""
        for number, untold in tuple(self._untold.items()):
            incident = alerts.book.incidents.get(untold.incident)
            if incident is not None:
                del self._untold[number]
                if all(entry.text != untold.text for entry in incident.story):
                    alerts.remark(untold.incident, untold.text)

    def _run_of(self, operation: Operation) -> RemedyRun | None:
        """A run on record: as it ended, or as an ended process left it; None for what runs or is none."""
        shift = self._clock.shift_seconds()
        try:
            if operation.result is not None and "run" in operation.result:
                return self._not_ahead(from_document(operation.result["run"], shift))
            if operation.running or operation.parameters.get("remedy") not in self._book.remedies:
                return None
            return self._not_ahead(self._left(operation, shift)) if self._foreign(operation) else None
        except (TypeError, KeyError) as error:
            log.warning("remedy_run_unreadable operation=%s error=%r", operation.id, str(error))
            return None

    def _left(self, operation: Operation, shift: float) -> RemedyRun:
        given = operation.parameters
        remedy = self._book.remedies[given["remedy"]]
        interrupted = operation.state == "interrupted"
        if interrupted and operation.id not in self._told:
            self._told.add(operation.id)
            ended = "; what it had changed ended with it" if remedy.undo_when else ""
            text = f"{remedy.title}. The console ended while it ran (operation {operation.id}){ended}."
            self._untold[operation.id] = Untold(given["incident"], text)
        ended_at = (operation.finished_at or operation.updated_at).timestamp() - shift
        return RemedyRun(
            key=given["run"],
            remedy=remedy.name,
            rule=given["rule"],
            incident=given["incident"],
            who=operation.operator,
            why=given["why"],
            began_at=operation.started_at.timestamp() - shift,
            by_hand=False,
            phase="over" if interrupted else "failed",
            effect="cannot tell" if interrupted else None,
            reason=operation.error or operation.state,
            undone="the console ended" if interrupted and remedy.undo_when else "",
            ended_at=ended_at,
        )

    def _not_ahead(self, run: RemedyRun) -> RemedyRun:
        """A clock that was set back since does not hold the next run up."""
        now = self._clock.now()
        return replace(run, began_at=min(run.began_at, now), ended_at=min(run.ended_at or now, now))

    def _foreign(self, operation: Operation) -> bool:
        """Whether another process began it: what this one ran is in the book as it was."""
        key = operation.parameters.get("run")
        return not any(run.key == key for name in self._book.remedies for run in self._book.runs(name))

    def _say(self, error: str) -> None:
        """Log once for each change of state."""
        if bool(error) != bool(self.error):
            log.warning("remedies_store_%s error=%r", "away" if error else "back", error)
        self.error = error
