"""Ledger: every exchange with the API and what it cost, in the console's store; figures by day, prompt, model and operator.

Owns the rows of `console.claude_attempts`, which are kept for 90 days. Refuses every word of a prompt or an answer: a request
is named by its hash.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from typing import Any

from core.claude.costs import Prices
from core.claude.messages import Ask, AttemptRecord, MessageRequest, Scope, Usage
from core.claude.write_behind import WriteBehind, WriteBehindStats
from core.errors import CoreError
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

KEEP_DAYS = 90
EXPIRE_SECONDS = 3600.0
ASKS_REMEMBERED = 2_000  # Asks under way: the scheduler's queue and what is in flight.


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How many attempts ended in one kind of error."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """What one day, prompt, model or operator asked and paid; `unpriced` attempts have no known price and count 0 dollars."""

    name: str
    asks: int = 0
    attempts: int = 0
    repairs: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    unpriced: int = 0
    errors: tuple[ErrorCount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFigures:
    """One scope's figures from the start of a day (UTC) until now; days in their order, all else with the dearest first."""

    scope: Scope
    since: datetime
    until: datetime
    total: CostLine
    days: tuple[CostLine, ...]
    prompts: tuple[CostLine, ...]
    models: tuple[CostLine, ...]
    operators: tuple[CostLine, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    ask: Ask
    request: MessageRequest
    record: AttemptRecord
    ask_key: str
    attempt: int
    repair: bool


class Ledger:
    """Bound to the loop that opened it."""

    def __init__(self, store: Rows, prices: Prices, *, scope: Scope, now: Callable[[], datetime] = _utc_now) -> None:
        self._store = store
        self._prices = prices
        self._scope: Scope = scope
        self._now = now
        self._process = uuid.uuid4().hex[:12]
        self._number = 0
        self._asks: OrderedDict[int, tuple[Ask, str, int]] = OrderedDict()
        self._rows = WriteBehind[_Entry]("claude ledger", self._write)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the writer, and the deletion of what is too old."""
        await self._rows.open()
        self._task = asyncio.create_task(self._expire(), name="claude ledger retention")

    async def close(self) -> None:
        """Write what waits, and end."""
        if self._task is not None:
            await end_tasks([self._task])
        await self._rows.close()

    def add(self, ask: Ask, record: AttemptRecord, request: MessageRequest | None = None) -> None:
        """Have one exchange written; `request` is what was sent, where that is not the request of the ask."""
        sent = request or ask.request
        _, key, before = self._asks.pop(id(ask), (ask, "", 0))
        if not key:
            self._number += 1
            key = f"{self._process}:{self._number}"
        if record.outcome != "ok":  # Another may follow. Holding the ask keeps its id from being given to a new one.
            self._asks[id(ask)] = (ask, key, before + 1)
            if len(self._asks) > ASKS_REMEMBERED:
                self._asks.popitem(last=False)
        self._rows.add(_Entry(ask, sent, record, key, before + 1, repair=len(sent.turns) > len(ask.request.turns)))

    def stats(self) -> WriteBehindStats:
        """How many exchanges wait to be written, and how many were lost."""
        return self._rows.stats()

    async def figures(self, days: int = 1) -> CostFigures:
        """Of today (UTC) and the days before it, `days` in all; raises DependencyError or SchemaError."""
        until = self._now().astimezone(UTC)
        since = datetime.combine(until.date() - timedelta(days=max(1, days) - 1), time(), UTC)
        rows = await self._store.fetch_all("claude_attempts_figures", self._scope, since, until + timedelta(minutes=1))
        lines = {dimension: _lines(rows, dimension) for dimension in ("total", "day", "prompt", "model", "operator")}
        dearest = {
            key: tuple(sorted(value, key=lambda line: (-line.cost_usd, -line.attempts, line.name)))
            for key, value in lines.items()
        }
        return CostFigures(
            scope=self._scope,
            since=since,
            until=until,
            total=next(iter(lines["total"]), CostLine(name="")),
            days=lines["day"],
            prompts=dearest["prompt"],
            models=dearest["model"],
            operators=dearest["operator"],
        )

    async def _write(self, entries: Sequence[_Entry]) -> None:
        await self._store.execute("claude_attempts_add", [self._row(entry) for entry in entries])

    def _row(self, entry: _Entry) -> dict[str, Any]:
        record, ask = entry.record, entry.ask
        return {
            "ask_key": entry.ask_key,
            "attempt": entry.attempt,
            "repair": entry.repair,
            "scope": self._scope,
            "started_at": record.started_at,
            "prompt_name": ask.prompt_name,
            "prompt_version": ask.prompt_version,
            "request_hash": entry.request.fingerprint(),
            "operator": ask.operator,
            "lane": ask.lane,
            "model": record.model,
            "outcome": record.outcome,
            "status": record.status,
            "request_id": record.request_id,
            "duration_seconds": record.duration_seconds,
            "first_token_seconds": record.first_token_seconds,
            "cost_usd": self._prices.cost_usd(record.model, record.usage),
            **asdict(record.usage),
        }

    async def _expire(self) -> None:
        while True:
            try:
                while await self._store.execute("claude_expire", KEEP_DAYS) == "DELETE 5000":
                    pass
            except CoreError as error:
                log.info("claude_ledger_retention error=%r", str(error))
            await asyncio.sleep(EXPIRE_SECONDS)


def _lines(rows: Sequence[Any], dimension: str) -> tuple[CostLine, ...]:
    """One line for each name, summed over the outcomes."""
    lines: dict[str, CostLine] = {}
    for row in rows:
        if row["dimension"] == dimension:
            line = lines.get(row["name"], CostLine(name=row["name"]))
            failed = () if row["outcome"] == "ok" else (ErrorCount(row["outcome"], row["attempts"]),)
            lines[row["name"]] = CostLine(
                name=line.name,
                asks=line.asks + row["asks"],
                attempts=line.attempts + row["attempts"],
                repairs=line.repairs + row["repairs"],
                usage=line.usage + Usage(**{item.name: row[item.name] for item in fields(Usage)}),
                cost_usd=line.cost_usd + row["cost_usd"],
                unpriced=line.unpriced + row["unpriced"],
                errors=line.errors + failed,
            )
    return tuple(lines.values())
