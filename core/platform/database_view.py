"""DatabaseOverview: what the database page shows at one look: verdict, pool, queries, sessions, and the whole server.

Owns the view objects of that page, and a connection for looking that is not the pool's: a full pool hides nothing, and what
the page asks is not among the figures that it shows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from core.database.parts import DatabaseParts
from core.database.queries import Queries
from core.database.samples import Sampling, compose
from core.database.server_statements import ServerLoad, ServerStatements
from core.database.sessions import ServerSessions, read_sessions
from core.health import DependencyStatus, Health
from core.monitor import Distribution, Recorder
from core.platform.database_verdict import JUDGED_SECONDS, DatabaseFacts, judge_database
from core.platform.panel import Kept, Panel
from core.platform.query_figures import QUERY, WAIT, QueryFigures, query_figures
from core.platform.verdict import Verdict
from core.settings import Settings

SESSIONS_MAX_AGE_SECONDS = 1.5
SERVER_MAX_AGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseView:
    """Everything that the page draws at one refresh; figures are of the window asked for."""

    verdict: Verdict
    facts: DatabaseFacts
    server: Panel[ServerLoad]
    loaded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryView:
    """One named query: its SQL as it is sent, its figures (None: not asked), and what is kept of its parameters."""

    name: str
    description: str
    sql: str
    figures: QueryFigures | None
    times: Distribution
    sampling: Sampling
    may_sample: bool


class DatabaseOverview:
    """Loads the database page's views."""

    def __init__(
        self,
        settings: Settings,
        monitor: Recorder,
        parts: DatabaseParts,
        queries: Queries,
        health: Health,
    ) -> None:
        self._settings, self._monitor, self._queries, self._health = settings, monitor, queries, health
        self._database, self._looking, self._samples = parts.database, parts.looking, parts.samples
        self.statements = ServerStatements(parts.looking)
        self._sessions = Kept(self.sessions, SESSIONS_MAX_AGE_SECONDS)
        self._server = Kept(self.statements.look, SERVER_MAX_AGE_SECONDS)

    async def open(self) -> None:
        """Let the connection for looking be made when it is first needed."""
        await self._looking.open()

    async def close(self) -> None:
        """Close it."""
        await self._looking.close()

    async def load(self, window_seconds: int) -> DatabaseView:
        """The view of a window of 60, 300, 900 or 3600 seconds; raises nothing for a server that is down."""
        status = next(item for item in self._health.snapshot() if item.name == "postgresql")
        sessions, server = await self._looked(status)
        return DatabaseView(
            verdict=judge_database(self._settings, self._facts(JUDGED_SECONDS, status, sessions)),
            facts=self._facts(window_seconds, status, sessions),
            server=server,
            loaded_at=datetime.now(UTC),
        )

    def _facts(self, window_seconds: int, status: DependencyStatus, sessions: Panel[ServerSessions]) -> DatabaseFacts:
        return DatabaseFacts(
            status=status,
            breaker=self._database.breaker.stats() if self._database.breaker else None,
            pool=self._database.stats(),
            times=self._monitor.total(QUERY, window_seconds),
            waits=self._monitor.total(WAIT, window_seconds),
            queries=query_figures(self._monitor, self._queries, window_seconds, self._database.query_stats()),
            sessions=sessions,
            age_seconds=self._monitor.stats().age_seconds,
        )

    async def _looked(self, status: DependencyStatus) -> tuple[Panel[ServerSessions], Panel[ServerLoad]]:
        """What PostgreSQL says; not asked while it is known not to answer, so that nobody waits for it."""
        if status.state == "down":
            return Panel(error=status.error, next_step=status.next_step), Panel(error=status.error, next_step=status.next_step)
        return await asyncio.gather(self._sessions.get(), self._server.get())

    async def sessions(self) -> ServerSessions:
        """Who is connected, and who waits for whom; raises DependencyError, QueryError."""
        return await read_sessions(self._looking)

    def query(self, name: str, window_seconds: int) -> QueryView:
        """One named query; raises QueryError for a name that there is not. No I/O."""
        query, sampling = self._queries[name], self._samples.of(name)
        asked = query_figures(self._monitor, self._queries, window_seconds, self._database.query_stats())
        figures = next((item for item in asked if item.name == name), None)
        return QueryView(
            name=name,
            description=query.description,
            sql=compose(self._queries, name, sampling.newest)[0] if sampling.newest else query.sql,
            figures=figures,
            times=self._monitor.distribution(QUERY, (name,), window_seconds),
            sampling=sampling,
            may_sample=self._samples.may_sample(name),
        )
