"""Settings: every variable, its unit and its default, frozen.

Owns the reading of the environment: `Settings()` reads nothing, `Settings.from_env()` is the only reader. Refuses values that
cannot work with a SettingsError that names the variable.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values

from core.errors import SettingsError

Mode = Literal["watch", "operate"]
Pooler = Literal["none", "transaction"]
POSTGRESQL_SCHEMES = ("postgresql", "postgres")
REDIS_SCHEMES = ("redis", "rediss", "unix")
CACHE_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")  # No brace: it would move a cluster's hash tag; no sign of a pattern.


def _secret(default: Any = None) -> Any:
    return field(default=default, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every knob. An unset database or Redis URL means the embedded server; an unset key means rehearsal."""

    # What is watched and run.
    database_url: str | None = _secret()
    database_replica_url: str | None = _secret()
    database_operator_url: str | None = _secret()
    redis_url: str | None = _secret()
    mode: Mode | None = None
    environment: str = "local"

    # The console's own store; None = the embedded server, also when the watched database is external.
    console_database_url: str | None = _secret()

    # Claude.
    anthropic_api_key: str | None = _secret()
    anthropic_base_url: str | None = None
    claude_model: str | None = None
    claude_fallback_model: str | None = None  # Asked once where the first is rate limited or overloaded.
    claude_timeout_seconds: float = 10.0  # What a person waits for.
    claude_background_timeout_seconds: float = 120.0
    claude_concurrency_max: int = 32
    claude_queue_max: int = 1000
    claude_interactive_reserve: float = 0.2  # Of concurrency and of the rate limits, kept for people.
    claude_budget_day_usd: float = 5.0  # Of all asks together in one day (UTC); the hard end.
    claude_budget_operator_day_usd: float | None = None

    # Rehearsal: how the answers without a key come. Faults: "429:0.02, 529:0.01, timeout:0, truncate:0, cut:0".
    rehearsal_first_token_seconds: float = 0.35
    rehearsal_tokens_per_second: float = 150.0
    rehearsal_faults: str = ""

    # Where the embedded servers keep their data, and where the console listens.
    data_dir: Path = Path(".data")
    host: str = "127.0.0.1"
    port: int = 8501

    # Database pool. 2-3 connections per core gave the highest throughput; more only queue inside PostgreSQL. An unset maximum
    # is 3 for each processor of the machine of the embedded server, 8 for any other, and 4 in mode watch. A pool that is
    # larger than max_connections, less the reserve for operators, is refused when it connects.
    database_pool_min: int = 2
    database_pool_max: int | None = None
    database_operator_reserve: int = 5
    database_acquire_timeout_seconds: float = 3.0
    database_connect_timeout_seconds: float = 3.0
    database_command_timeout_seconds: float = 10.0
    database_pooler: Pooler = "none"
    database_replica_lag_seconds: float = 5.0

    # Redis: a cache that is slower than this is slower than the query that it saves.
    redis_timeout_seconds: float = 0.5  # For a connection, a ping and what a page asks.
    cache_redis_timeout_seconds: float = 0.1  # For one round trip of the cache.
    cache_prefix: str = "core:"  # Of every name in Redis; nothing outside it is ever written.

    # Cache: what one process holds in memory, and how long a load may take before an old value, or its end.
    cache_memory_max_bytes: int = 64_000_000
    cache_memory_max_entries: int = 100_000
    cache_soft_timeout_seconds: float = 0.5
    cache_hard_timeout_seconds: float = 10.0
    cache_stale_seconds: float = 3600.0

    # Warming: an operator's own plans (TOML), when each is wanted ("popular_markets 08:00 America/Chicago, ..."), which run at
    # the start of the console ("popular_markets, ..."), and the most loads under way in one run.
    cache_warm_plans: str | None = None
    cache_warm_schedule: str = ""
    cache_warm_on_start: str = ""
    cache_warm_concurrency: int = 4

    # Health: a server that is gone is shown within interval + timeout.
    health_interval_seconds: float = 2.0
    health_timeout_seconds: float = 2.0

    # What the platform promises.
    target_api_p95_seconds: float = 0.1
    target_database_p95_seconds: float = 0.05
    target_cache_hit_rate: float = 0.9  # Claude's families left out.
    target_cache_read_p95_seconds: float = 0.005
    target_claude_mean_seconds: float = 2.0  # Of what a person waits for; rehearsal is never judged.
    target_claude_hit_rate: float = 0.8
    target_error_share: float = 0.01  # Of requests answered with 5xx.
    target_uptime_share: float = 0.999  # Of slots of ten seconds in which /readyz was 200.
    target_cpu_share: float = 0.8
    target_memory_share: float = 0.85
    target_process_memory_bytes: int = 1_500_000_000
    target_disk_share: float = 0.9

    # Alerts: where critical ones are told at once, and warnings in one note a day: URLs of apprise ("ntfys://topic, mailto://...").
    # The heartbeat is asked for each minute while the console judges, so that somebody else notices when it does not.
    alert_urls: str = _secret("")
    alert_note_hour: int = 8
    alert_note_zone: str = "UTC"
    heartbeat_url: str | None = _secret()

    # Sample data, loaded only into an empty embedded database.
    sample_data: bool = True
    sample_leads: int = 20_000
    sample_interactions: int = 150_000
    sample_properties: int = 10_000
    sample_seed: int = 20_260_118

    def __post_init__(self) -> None:
        _check_url("DATABASE_URL", self.database_url, POSTGRESQL_SCHEMES)
        _check_url("DATABASE_REPLICA_URL", self.database_replica_url, POSTGRESQL_SCHEMES)
        _check_url("DATABASE_OPERATOR_URL", self.database_operator_url, POSTGRESQL_SCHEMES)
        _check_url("CONSOLE_DATABASE_URL", self.console_database_url, POSTGRESQL_SCHEMES)
        _check_url("REDIS_URL", self.redis_url, REDIS_SCHEMES)
        _check_url("ANTHROPIC_BASE_URL", self.anthropic_base_url, ("http", "https"))
        _check(self.mode in (None, "watch", "operate"), "MODE", "is 'watch' or 'operate'")
        _check(0 < self.port < 65536, "PORT", "is a number from 1 to 65535")
        _check(
            is_loopback(self.host), "HOST", "is a loopback address such as 127.0.0.1, because no access control is configured"
        )
        most = self.database_pool_max
        _check(self.database_pool_min >= 0, "DATABASE_POOL_MIN", "is 0 or more")
        _check(most is None or most >= 1, "DATABASE_POOL_MAX", "is at least 1")
        _check(most is None or self.database_pool_min <= most, "DATABASE_POOL_MIN", "is between 0 and DATABASE_POOL_MAX")
        _check(self.database_operator_reserve >= 0, "DATABASE_OPERATOR_RESERVE", "is 0 or more")
        _check(self.database_pooler in ("none", "transaction"), "DATABASE_POOLER", "is 'none' or 'transaction'")
        _check(bool(CACHE_PREFIX.fullmatch(self.cache_prefix)), "CACHE_PREFIX", "has 1 to 64 letters, digits and _ . : - only")
        _check(self.cache_memory_max_bytes >= 1_000_000, "CACHE_MEMORY_MAX_BYTES", "is at least 1000000")
        _check(1 <= self.cache_warm_concurrency <= 100, "CACHE_WARM_CONCURRENCY", "is a number from 1 to 100")
        _check(self.claude_concurrency_max >= 1, "CLAUDE_CONCURRENCY_MAX", "is at least 1")
        _check(self.claude_queue_max >= 1, "CLAUDE_QUEUE_MAX", "is at least 1")
        _check(0 <= self.claude_interactive_reserve < 1, "CLAUDE_INTERACTIVE_RESERVE", "is at least 0 and below 1")
        _check(self.claude_budget_day_usd >= 0, "CLAUDE_BUDGET_DAY_USD", "is 0 or more")
        each = self.claude_budget_operator_day_usd
        _check(each is None or each >= 0, "CLAUDE_BUDGET_OPERATOR_DAY_USD", "is 0 or more")
        _check(self.rehearsal_tokens_per_second > 0, "REHEARSAL_TOKENS_PER_SECOND", "is more than 0")
        _check(0 < self.target_claude_hit_rate <= 1, "TARGET_CLAUDE_HIT_RATE", "is above 0 and at most 1")
        _check(0 < self.target_cache_hit_rate <= 1, "TARGET_CACHE_HIT_RATE", "is above 0 and at most 1")
        _check_url("HEARTBEAT_URL", self.heartbeat_url, ("http", "https"))
        _check(0 <= self.alert_note_hour <= 23, "ALERT_NOTE_HOUR", "is an hour from 0 to 23")
        _check(_is_zone(self.alert_note_zone), "ALERT_NOTE_ZONE", "is a time zone such as America/Chicago")
        for share in ("error", "uptime", "cpu", "memory", "disk"):
            name = f"target_{share}_share"
            _check(0 < getattr(self, name) <= 1, name.upper(), "is above 0 and at most 1")
        _check(self.cache_memory_max_entries >= 100, "CACHE_MEMORY_MAX_ENTRIES", "is at least 100")
        _check(
            self.cache_soft_timeout_seconds <= self.cache_hard_timeout_seconds,
            "CACHE_SOFT_TIMEOUT_SECONDS", "is no longer than CACHE_HARD_TIMEOUT_SECONDS",
        )  # fmt: skip
        _check(min(self.sample_leads, self.sample_interactions, self.sample_properties) >= 0, "SAMPLE_LEADS", "is 0 or more")
        for name in self.__slots__:
            if name.endswith("_seconds"):
                _check(0 < getattr(self, name) < float("inf"), name.upper(), "is more than 0 seconds, and not endless")

    @property
    def database_embedded(self) -> bool:
        """Whether the watched database is the embedded one."""
        return self.database_url is None

    @property
    def target_name(self) -> str:
        """What an operator types to allow an action that changes data: ENVIRONMENT, or the host and name of the database."""
        if self.database_url is None or self.environment != "local":
            return self.environment
        parts = urlsplit(self.database_url)
        return f"{parts.hostname or 'socket'}{parts.path}"

    @property
    def console_store_embedded(self) -> bool:
        """Whether the console keeps its own records in the embedded server."""
        return self.console_database_url is None

    @property
    def own_warm_plans(self) -> Path | None:
        """The file of the operator's own warm plans."""
        return Path(self.cache_warm_plans).expanduser() if self.cache_warm_plans else None

    @property
    def redis_embedded(self) -> bool:
        """Whether Redis is the embedded one."""
        return self.redis_url is None

    @property
    def effective_mode(self) -> Mode:
        """MODE, or its default: `operate` on the embedded database, `watch` on somebody's production."""
        return self.mode or ("operate" if self.database_embedded else "watch")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Settings:
        """Read the process environment over `.env`; an empty variable is unset even if `.env` sets it. Raises SettingsError."""
        values: dict[str, str | None] = dict(dotenv_values(dotenv)) if dotenv is not None and dotenv.is_file() else {}
        values.update(os.environ if environ is None else environ)
        given = {item.name: text for item in fields(cls) if (text := values.get(item.name.upper()))}
        return cls(**{name: _parse(name, value, cls.__dataclass_fields__[name].type) for name, value in given.items()})


def masked(url: str) -> str:
    """The URL without user, password and options, fit to be shown; the host of a Unix socket is its folder."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    return f"{parts.scheme}://{host}{parts.path}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _parse(name: str, text: str, annotation: Any) -> Any:
    variable, wanted = name.upper(), str(annotation)
    try:
        if wanted == "bool":
            return _parse_bool(text)
        if wanted.startswith("int"):
            return int(text)
        if wanted.startswith("float"):
            return float(text)
    except ValueError:
        article = "an integer" if wanted.startswith("int") else "a number" if wanted == "float" else "true or false"
        raise SettingsError(f"{variable} is {text!r}, which is not {article}.") from None
    return Path(text).expanduser() if wanted == "Path" else text.strip()


def _parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(word)


def _check(condition: bool, variable: str, rule: str) -> None:
    if not condition:
        raise SettingsError(f"{variable} has a value that cannot work: it {rule}.")


def _check_url(variable: str, url: str | None, schemes: tuple[str, ...]) -> None:
    if url is None:
        return
    scheme = url.partition("://")[0]
    try:
        for host in urlsplit(url).netloc.rpartition("@")[2].split(","):  # PostgreSQL's may name several.
            _ = urlsplit(f"//{host}").port
    except ValueError:
        # Newer Pythons, and so asyncpg, refuse brackets behind a comma.
        reason = "a port is not a number, or one of several hosts is an IPv6 address in brackets"
        raise SettingsError(f"{variable} is not a URL that can be read: {reason}.") from None
    _check("://" in url and scheme in schemes, variable, f"starts with {' or '.join(word + '://' for word in schemes)}")
