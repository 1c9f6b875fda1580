"""Session: one pooled connection and how it is made.

Owns what the server is told at the start of a session, and how jsonb travels.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
import orjson

from core.database.hosts import SessionAttribute

if TYPE_CHECKING:
    Base = asyncpg.Connection[asyncpg.Record]
else:
    Base = asyncpg.Connection

CLIENT_GRACE_SECONDS = 0.25  # The server ends a slow statement first: that costs no second connection.
OUTDATED = -1

Pooler = Literal["none", "transaction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How one pool connects; times in seconds."""

    min_size: int = 0
    max_size: int = 8
    size_reason: str = ""  # Why that many, for those who look at the pool.
    acquire_timeout_seconds: float = 3.0
    connect_timeout_seconds: float = 3.0
    command_timeout_seconds: float = 10.0
    idle_seconds: float = 300.0  # A connection that nobody used for so long is closed, down to the least number.
    keep_seconds: float = 2.0  # How often it is looked at whether connections are missing or idle for too long.
    slow_seconds: float = 0.05
    operator_reserve: int = 0
    application_name: str = "console"
    read_only: bool = False
    pooler: Pooler = "none"
    replica_lag_seconds: float = 5.0


class Session(Base):
    """A connection with what its pool remembers of it."""

    __slots__ = ("generation", "idle_since")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.generation = 0
        self.idle_since = time.monotonic()

    def outdate(self) -> None:
        """Let the pool drop it at its return."""
        self.generation = OUTDATED


def arguments(settings: PoolSettings, attribute: SessionAttribute | None) -> dict[str, Any]:
    """How a pooled connection is made."""
    limits = {
        "command_timeout": settings.command_timeout_seconds + CLIENT_GRACE_SECONDS,
        "timeout": settings.connect_timeout_seconds,
        "target_session_attrs": attribute,
    }
    if settings.pooler == "transaction":  # It refuses settings of a session, and statements that outlive a transaction.
        return {**limits, "statement_cache_size": 0, "server_settings": _base(settings.application_name)}
    milliseconds = f"{settings.command_timeout_seconds * 1000:.0f}"
    return {**limits, "server_settings": {**_session(settings, settings.application_name), "statement_timeout": milliseconds}}


def unlimited(settings: PoolSettings, attribute: SessionAttribute | None, application_name: str) -> dict[str, Any]:
    """How a connection for long work is made."""
    return {
        "timeout": settings.connect_timeout_seconds,
        "target_session_attrs": attribute,
        "server_settings": _session(settings, application_name),
    }


async def add_codecs(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let jsonb columns be Python values."""
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=orjson.loads, schema="pg_catalog")


def _base(application_name: str) -> dict[str, str]:
    return {"application_name": application_name, "timezone": "UTC"}


def _session(settings: PoolSettings, application_name: str) -> dict[str, str]:
    base = _base(application_name)
    return {**base, "default_transaction_read_only": "on"} if settings.read_only else base


def _encode(value: Any) -> str:
    return orjson.dumps(value).decode()
