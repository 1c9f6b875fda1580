"""Overview: what the first page shows, loaded in one call.

Owns the view objects of that page. Refuses to fail with a server: each panel says for itself how old it is and what is wrong.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from core.cache.redis_tier import RedisStats, RedisTier
from core.cache.warming.schedule import Scheduled
from core.database.pool import Database, DatabaseStats
from core.database.schema import platform as platform_tables
from core.health import DependencyStatus, Health
from core.platform.milestones import Milestones
from core.platform.panel import Kept, Panel
from core.platform.verdict import Verdict, judge
from core.settings import Settings, masked
from core.setup import Setup, SetupStep

COUNTS_MAX_AGE_SECONDS = 15.0
PRICES_MAX_AGE_SECONDS = 300.0
REDIS_MAX_AGE_SECONDS = 4.0
REACHED_MAX_AGE_SECONDS = 2.0
SAMPLE_NOTE = "leads, interactions and current listings are synthetic; market figures and Toledo's sold houses are real"
COUNTED_TABLES = frozenset({"leads", "lead_interactions", "properties"})
RECENT_MAX_BYTES = 512 * 1024 * 1024  # Counting the last 30 days reads whole tables until an index exists.


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows as the statistics have them (None: never analysed) and bytes with indexes."""

    name: str
    rows: int | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The platform's tables, and what the last 30 days brought (None: too large to count, or tables missing)."""

    tables: tuple[TableSize, ...]
    leads: int | None = None
    interactions: int | None = None
    properties: int | None = None
    newest_interaction_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MarketSeries:
    """One market's monthly median prices in dollars, oldest first."""

    market_id: str
    market_name: str
    months: tuple[date, ...]
    median_prices: tuple[float, ...]
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One line of the checklist; `done` by a real event, `how` says what brings it about."""

    title: str
    done: bool
    how: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class OverviewView:
    """Everything that the page draws at one refresh."""

    dependencies: tuple[DependencyStatus, ...]
    steps: tuple[SetupStep, ...]
    counts: Panel[Counts]
    redis: Panel[RedisStats]
    pool: DatabaseStats
    first_steps: tuple[FirstStep, ...]
    missed_warming: tuple[Scheduled, ...]
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class EnvironmentInfo:
    """Which environment this is, for the bar on every page."""

    name: str
    database: str
    redis: str
    mode: str
    claude: str
    embedded: bool
    data_note: str


class Overview:
    """Loads the first page's view."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        console_store: Database,
        redis: RedisTier,
        health: Health,
        setup: Setup,
        milestones: Milestones,
        missed_warming: Callable[[], tuple[Scheduled, ...]],
        claude_words: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._database = database
        self._console_store = console_store
        self._health = health
        self._setup = setup
        self._milestones = milestones
        self._missed_warming = missed_warming
        self._claude_words = claude_words
        self._counts = Kept(self._load_counts, COUNTS_MAX_AGE_SECONDS)
        self._prices = Kept(self._load_prices, PRICES_MAX_AGE_SECONDS)
        self._redis = Kept(redis.stats, REDIS_MAX_AGE_SECONDS)
        self._reached = Kept(self._load_reached, REACHED_MAX_AGE_SECONDS)

    def environment(self) -> EnvironmentInfo:
        """The environment's name and hosts, without secrets; no I/O."""
        settings = self._settings
        return EnvironmentInfo(
            name=settings.environment,
            database=masked(settings.database_url) if settings.database_url else "embedded PostgreSQL",
            redis=masked(settings.redis_url) if settings.redis_url else "embedded Redis",
            mode=settings.effective_mode,
            claude=self._claude_words(),
            embedded=settings.database_embedded,
            data_note=SAMPLE_NOTE if settings.database_embedded and settings.sample_data else "",
        )

    def readiness(self) -> Verdict:
        """Whether the servers answer and the set-up is done; no I/O, safe from any thread."""
        return judge(self._health.snapshot(), self._setup.snapshot(), datetime.now(UTC), self._settings.health_interval_seconds)

    async def load(self) -> OverviewView:
        """The view; every part has its own time limit, so that this answers within about two seconds whatever is down."""
        counts, redis, reached = await asyncio.gather(self._counts.get(), self._redis_stats(), self._reached.get())
        return OverviewView(
            dependencies=self._health.snapshot(),
            steps=self._setup.snapshot(),
            counts=counts,
            redis=redis,
            pool=self._database.stats(),
            first_steps=self._first_steps(counts, *(reached.value or (frozenset(), 0))),
            missed_warming=self._missed_warming(),
            loaded_at=datetime.now(UTC),
        )

    async def market_prices(self) -> Panel[tuple[MarketSeries, ...]]:
        """Every market's series of median prices."""
        return await self._prices.get()

    async def _redis_stats(self) -> Panel[RedisStats]:
        """What it holds; one that is known to be down is not waited for at every look."""
        down = any(item.name == "redis" and item.state == "down" for item in self._health.snapshot())
        return Panel() if down else await self._redis.get()

    async def _load_counts(self) -> Counts:
        names = [table.name for table in platform_tables.sorted_tables]
        rows = await self._database.fetch_all("table_sizes", names)
        tables = tuple(TableSize(row["table_name"], row["estimated_rows"], row["size_bytes"]) for row in rows)
        sizes = {table.name: table.size_bytes for table in tables}
        if not sizes.keys() >= COUNTED_TABLES or sum(sizes[name] for name in COUNTED_TABLES) > RECENT_MAX_BYTES:
            return Counts(tables)
        recent = await self._database.fetch_one("recent_counts")
        return Counts(tables, **dict(recent or {}))

    async def _load_prices(self) -> tuple[MarketSeries, ...]:
        notes = {row["id"]: row for row in await self._database.fetch_all("market_notes")}
        rows = await self._database.fetch_all("market_prices")
        series = []
        for market_id, group in itertools.groupby(rows, key=lambda row: str(row["market_id"])):
            points, note = list(group), notes[market_id]
            months = tuple(point["date_recorded"] for point in points)
            prices = tuple(float(point["median_price"]) for point in points)
            series.append(
                MarketSeries(market_id, note["market_name"], months, prices, note["source"] or "", note["note"] or "")
            )
        return tuple(series)

    async def _load_reached(self) -> tuple[frozenset[str], int]:
        """Milestones reached and starts counted."""
        if not self._setup.finished.is_set():
            return frozenset(), 0
        return await self._milestones.reached(), int(await self._console_store.fetch_value("starts_count"))

    def _first_steps(self, counts: Panel[Counts], reached: frozenset[str], starts: int) -> tuple[FirstStep, ...]:
        answered = {item.name for item in self._health.snapshot() if item.version}
        done = {step.name for step in self._setup.snapshot() if step.state in ("done", "skipped")}
        rows = sum(table.rows or 0 for table in counts.value.tables) if counts.value else 0
        settings = self._settings
        return (
            FirstStep("PostgreSQL and Redis answer", {"postgresql", "redis"} <= answered, "The console starts both by itself."),
            FirstStep("The schema is in place", {"console_schema", "platform_schema"} <= done, "Done at every start."),
            FirstStep("There is data to look at", rows > 0, "Sample data fills an empty embedded database."),
            FirstStep(
                "A program asked whether the platform is ready", "readyz_asked" in reached, f"`curl {self._base()}/readyz`"
            ),
            FirstStep("The data outlived a restart", starts > 1, "Stop the console with Ctrl-C and run `make run` again."),
            FirstStep("Your own database is watched", not settings.database_embedded, "Set `DATABASE_URL` in `.env`.", True),
            FirstStep("Claude has a key", bool(settings.anthropic_api_key), "Set `ANTHROPIC_API_KEY` in `.env`.", True),
        )

    def _base(self) -> str:
        return f"http://{self._settings.host}:{self._settings.port}"
