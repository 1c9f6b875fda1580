"""DatabaseOperations: what an operator does on the database page: explain, prove, and end a statement.

Owns the rule of each: explaining and proving only read, in any mode; ending a statement needs MODE=operate, its number typed,
and a client session that still runs what was shown. A proof and a cancellation are operations, so they are on record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from core.database.explain import Explain, Explained
from core.database.parts import DatabaseParts
from core.database.proof import RULE, Proof, figures, prove
from core.database.proof_summary import ProofSummary
from core.database.queries import Queries
from core.database.replay import Pace, Replay, Replayed
from core.database.samples import ParameterSet, compose
from core.database.sessions import ServerSession, cancel_command, cancel_statement
from core.errors import OperationError, TargetError, UsageError
from core.monitor import Recorder
from core.operations import Operation, OperationRequest, Operations, Started, Work, run_short
from core.platform.panel import Kept, Panel
from core.platform.query_figures import QUERY
from core.ports import Progress
from core.settings import Settings
from core.target import require_typed

PROOF, CANCEL = "proof", "cancel"
LIVE_SECONDS = 60
MOST_PROOFS = 20  # Queries of which measurements are kept.
RECORDS_LOOKED_AT, RECORDS_MAX_AGE_SECONDS = 200, 2.0

Side = Literal["before", "after"]
Wrap = Callable[[Work], Work]


@dataclass(frozen=True, slots=True)
class ProofState:
    """What was measured of one query in this process, and what comes of it once both sides are there."""

    query: str
    before: Replayed | None = None
    after: Replayed | None = None

    @property
    def proof(self) -> Proof | None:
        """The comparison."""
        if self.before is None or self.after is None or not self.before.sets or not self.after.sets:
            return None
        return prove(self.before, self.after)


@dataclass(frozen=True, slots=True)
class RecordedProof:
    """A proof as it is on record, of whatever process: by whom and when it was completed (UTC)."""

    summary: ProofSummary
    operator: str
    measured_at: datetime


def _as_it_is(work: Work) -> Work:
    return work


class DatabaseOperations:
    """Bound to the database's loop."""

    def __init__(
        self,
        settings: Settings,
        monitor: Recorder,
        parts: DatabaseParts,
        queries: Queries,
        operations: Operations,
        pace: Pace | None = None,
    ) -> None:
        self._settings, self._monitor, self._queries, self._operations = settings, monitor, queries, operations
        self._database, self._samples = parts.database, parts.samples
        self._pace = pace or Pace(timeout_seconds=settings.database_command_timeout_seconds)  # As the platform itself waits.
        self.explain = Explain(parts.database)
        self._proofs: dict[str, ProofState] = {}
        self._recorded = Kept(self._load_recorded, RECORDS_MAX_AGE_SECONDS)

    async def explain_query(self, name: str) -> Explained:
        """The plan of a named query with its newest parameters; raises UsageError when none are kept, QueryError."""
        newest = self._samples.of(name).newest
        if newest is None:
            raise UsageError(f"No parameters of {name} are kept.", "Wait until it is asked, or paste its SQL at Your SQL.")
        return await self.explain.statement(*compose(self._queries, name, newest))

    async def explain_pasted(self, sql: str, parameters: str) -> Explained:
        """The plan of a statement that only reads; raises UsageError, QueryError, DependencyError."""
        return await self.explain.pasted(sql, parameters)

    def proof(self, query: str) -> ProofState:
        """What was measured of a query."""
        return self._proofs.get(query, ProofState(query))

    async def recorded_proofs(self) -> Panel[tuple[RecordedProof, ...]]:
        """The newest proof of each query that is on record; raises nothing while the console's store is away."""
        return await self._recorded.get()

    async def start_proof(self, query: str, side: Side, *, operator: str, wrap: Wrap = _as_it_is) -> Started:
        """Measure a query; `after` replays the sets of `before`. Raises UsageError, OperationError, DependencyError."""
        before = self.proof(query).before
        if side == "after" and before is None:
            raise UsageError(
                f"{query} was not measured before the change.", "Measure it before, change something, measure after."
            )
        sets = tuple(item.asked for item in before.sets) if side == "after" and before else self._samples.of(query).sets
        if not sets:
            raise UsageError(f"No parameters of {query} are kept.", "Make traffic on the Overview, or call the HTTP API.")
        asked = OperationRequest(
            kind=PROOF,
            key=PROOF,
            title=f"Measure {query} {side} a change",
            operator=operator,
            parameters={"query": query, "side": side, "sets": len(sets)},
            commands=self.proof_commands(query, sets[0]),
        )
        return await self._operations.start(asked, wrap(lambda progress: self._measure(query, side, sets, progress)))

    def proof_commands(self, query: str, example: ParameterSet) -> tuple[str, ...]:
        """What one set of a proof runs; the values stand for all sets."""
        sql, _ = compose(self._queries, query, example)
        pace = self._pace
        gently = f"{pace.duty:.0%} of one connection's time, {pace.most_seconds:g} s at most"
        return (
            f"-- each parameter set in {pace.rounds} rounds; {gently}",
            *self.explain.commands(sql, pace.timeout_seconds),
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {pace.timeout_seconds * 1000:.0f};\n{sql};\nROLLBACK;",
        )

    def refusal(self) -> str:
        """Why nobody's statement may be ended here; empty when it may."""
        if self._settings.effective_mode == "operate":
            return ""
        return "This database is only watched (MODE=watch): nobody's statement is ended."

    async def cancel(self, session: ServerSession, *, typed: str, operator: str) -> Operation:
        """End the statement of a client session; `typed` is its number. Raises TargetError, OperationError, DependencyError."""
        if refusal := self.refusal():
            raise TargetError(refusal, "Set MODE=operate and start again.")
        if session.own or not session.cancellable:
            raise OperationError(f"Session {session.pid} runs no client's statement that could be ended.", "Look again.")
        require_typed(str(session.pid), typed, f"The statement of session {session.pid} was not ended.")
        name = f"console cancel {operator}"

        async def work() -> Mapping[str, Any]:
            await cancel_statement(self._database, self._queries, session, name)
            return {"pid": session.pid, "user": session.user, "application": session.application}

        asked = OperationRequest(
            kind=CANCEL,
            key=f"{CANCEL}:{session.pid}",
            title=f"End the statement of session {session.pid}",
            operator=operator,
            parameters={"pid": session.pid, "user": session.user, "application": session.application},
            commands=(cancel_command(session.pid),),
        )
        return await run_short(self._operations, asked, work)

    async def _measure(self, query: str, side: Side, sets: tuple[ParameterSet, ...], progress: Progress) -> Mapping[str, Any]:
        replay = Replay(lambda: self._database.connect(application_name="console proof"), self._live_p95, self._pace)
        found = await replay.run(query, sets, lambda asked: compose(self._queries, query, asked), progress)
        if not found.sets:
            raise OperationError(f"Nothing of {query} was measured: {found.stopped}.", "Try again when less is going on.")
        state = self._proofs.pop(query, ProofState(query))
        state = ProofState(query, found) if side == "before" else replace(state, after=found)
        self._proofs[query] = state
        while len(self._proofs) > MOST_PROOFS:
            self._proofs.pop(next(iter(self._proofs)))
        return _told(found, state.proof)

    async def _load_recorded(self) -> tuple[RecordedProof, ...]:
        found: dict[str, RecordedProof] = {}
        for operation in await self._operations.list(kind=PROOF, limit=RECORDS_LOOKED_AT):
            summary = ProofSummary.from_json((operation.result or {}).get("proof"))
            if summary is not None and summary.query not in found:
                ended_at = operation.finished_at or operation.updated_at
                found[summary.query] = RecordedProof(summary, operation.operator, ended_at)
        return tuple(found.values())

    def _live_p95(self) -> float | None:
        return self._monitor.total(QUERY, LIVE_SECONDS).p95


def _told(found: Replayed, proof: Proof | None) -> Mapping[str, Any]:
    """What stays on record: figures and shapes of plans, no parameters."""
    side = figures(found.sets)
    told: dict[str, Any] = {
        "sets": len(found.sets),
        "p50_ms": round(side.p50 * 1000, 3),
        "p95_ms": None if side.p95 is None else round(side.p95 * 1000, 3),
        "pages": side.pages,
        "plan": list(found.slowest.plan.shape()),
    }
    if found.stopped:
        told["stopped"] = found.stopped
    if proof is not None:
        told |= {"verdict": proof.verdict, "reason": proof.reason, "plan_change": proof.change.sentence, "rule": RULE}
        told["proof"] = ProofSummary.of(proof).to_json()
    return told
