"""DatabaseParts: the watched database as the settings want it: the pool that the platform asks, and a way past it for looking.

Owns what the settings mean for a pool. Opens nothing.
"""

from __future__ import annotations

from core.database.capacity import Machine, pool_size
from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.database.samples import ParameterSamples, SampledDatabase
from core.ports import Record
from core.resilience import CircuitBreaker
from core.settings import Settings

LOOKING_MAX = 2
LOOKING_SECONDS = 1.5  # Less than a page waits.


class DatabaseParts:
    """`looking` goes past the pool, the breaker and the recorder, and changes nothing; `machine` is the embedded server's."""

    def __init__(self, settings: Settings, url: str, queries: Queries, record: Record, machine: Machine | None = None) -> None:
        self.samples = ParameterSamples()
        self.database = SampledDatabase(
            url,
            queries,
            _pool(settings, machine),
            record,
            breaker=CircuitBreaker("postgres", open_seconds=0.5, open_seconds_most=settings.health_interval_seconds),
            replica_url=settings.database_replica_url,
            operator_url=settings.database_operator_url,
            samples=self.samples,
        )
        self.looking_name = _looking(settings).application_name
        self.looking = Database(settings.database_operator_url or url, queries, _looking(settings))


def _pool(settings: Settings, machine: Machine | None) -> PoolSettings:
    watching, reserve = settings.effective_mode == "watch", settings.database_operator_reserve
    size = pool_size(settings.database_pool_max, machine, reserve, watching=watching)
    return PoolSettings(
        min_size=min(settings.database_pool_min, size.most),
        max_size=size.most,
        size_reason=size.reason,
        acquire_timeout_seconds=settings.database_acquire_timeout_seconds,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        command_timeout_seconds=settings.database_command_timeout_seconds,
        slow_seconds=settings.target_database_p95_seconds,
        operator_reserve=reserve,
        application_name=f"console {settings.environment}",
        read_only=watching,
        pooler=settings.database_pooler,
        replica_lag_seconds=settings.database_replica_lag_seconds,
    )


def _looking(settings: Settings) -> PoolSettings:
    return PoolSettings(
        max_size=LOOKING_MAX,
        acquire_timeout_seconds=LOOKING_SECONDS,
        connect_timeout_seconds=LOOKING_SECONDS,
        command_timeout_seconds=LOOKING_SECONDS,
        application_name=f"console {settings.environment} looks",
        read_only=True,
        pooler="none" if settings.database_operator_url else settings.database_pooler,
    )
