"""IndexOverview: what the index page shows at one look: verdict, the set, every index of the tables, what is built now.

Owns the view objects of that page. Refuses to ask PostgreSQL for states more often than once a second, whoever looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from core.database.indexes.catalog import FoundIndex, SetIndex
from core.database.indexes.progress import TOTAL
from core.database.pool import Database
from core.operations import Operation, Operations
from core.platform.activity import Activity
from core.platform.database_operations import PROOF
from core.platform.index_builds import IndexBuild, build_of, load_builds
from core.platform.index_verdict import IndexVerdict, judge_indexes
from core.platform.indexes import IndexOperations
from core.platform.panel import Kept, Panel

KIND = "index"
STATE_MAX_AGE_SECONDS = 1.0
BUILDS_MAX_AGE_SECONDS = 0.5
VIEW_MAX_AGE_SECONDS = 0.2
VIEW_TIMEOUT_SECONDS = 8.0  # Longer than its parts take: each gives up after two.


@dataclass(frozen=True, slots=True)
class IndexWork:
    """An operation on indexes that runs: the one it is at, its number of how many, what it says, and its build (None: none)."""

    operation: Operation
    index: str
    number: int
    count: int
    says: str
    build: IndexBuild | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexView:
    """Everything that the page draws at one refresh; `others` are builds that no operation runs, `proofs` measure queries."""

    verdict: IndexVerdict
    set: Panel[tuple[SetIndex, ...]]
    found: Panel[tuple[FoundIndex, ...]]
    work: tuple[IndexWork, ...]
    others: tuple[IndexBuild, ...]
    proofs: tuple[Operation, ...]
    last: Panel[Operation | None]
    loaded_at: datetime


class IndexOverview:
    """Loads the index page's view."""

    def __init__(self, looking: Database, indexes: IndexOperations, operations: Operations, activity: Activity) -> None:
        self._operations, self._activity = operations, activity
        self._set = Kept(indexes.status, STATE_MAX_AGE_SECONDS)
        self._found = Kept(indexes.found, STATE_MAX_AGE_SECONDS)
        self._builds = Kept(lambda: load_builds(looking), BUILDS_MAX_AGE_SECONDS)
        self._last = Kept(self._load_last, STATE_MAX_AGE_SECONDS)
        self._view = Kept(self._load_view, VIEW_MAX_AGE_SECONDS, VIEW_TIMEOUT_SECONDS)

    async def load(self) -> IndexView:
        """The view; raises nothing for a server that is down, and waits two seconds for it at most, once for all who look."""
        return (await self._view.get()).value or await self._load_view()

    async def _load_view(self) -> IndexView:
        found_set, found, builds, last, running = await asyncio.gather(
            self._set.get(), self._found.get(), self._builds.get(), self._last.get(), self._activity.running()
        )
        now_built = () if builds.error else builds.value or ()
        operations = running.value.operations if running.value else ()
        work = tuple(_work(operation, now_built) for operation in operations if operation.kind == KIND)
        ours = {item.index for item in work}
        return IndexView(
            verdict=judge_indexes(found_set, now_built),
            set=found_set,
            found=found,
            work=work,
            others=tuple(build for build in now_built if build.index not in ours),
            proofs=tuple(operation for operation in operations if operation.kind == PROOF),
            last=last,
            loaded_at=datetime.now(UTC),
        )

    async def _load_last(self) -> Operation | None:
        """The newest run that is over."""
        newest = await self._operations.list(kind=KIND, limit=2)  # One runs at a time.
        return next((item for item in newest if not item.running), None)


def _work(operation: Operation, builds: Sequence[IndexBuild]) -> IndexWork:
    """What an operation does now, out of its last word: `thousandths of NAME (what it says)`."""
    names = [str(name) for name in operation.parameters.get("indexes", ())] or [""]
    head, _, says = operation.what.partition(" (")
    index = next((name for name in names if head.endswith(f" {name}")), names[0])
    build = build_of(index, builds)
    if build is not None:  # Newer than what the operation last said.
        operation = replace(operation, done=build.done, total=TOTAL)
    return IndexWork(operation, index, names.index(index) + 1, len(names), says.removesuffix(")"), build)
