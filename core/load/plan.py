"""LoadPlan: what load is to be made, within bounds; and the address that it goes to.

Refuses what this process could not make: a plan is bounded in users, time and requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.errors import UsageError
from core.settings import Settings, is_loopback
from core.target import require_typed

USERS_MOST = 2_000
THINK_SECONDS = (0.1, 600.0)
DURATION_SECONDS = (1.0, 3_600.0)
REQUESTS_MOST = 1_000_000  # The schedule and every latency are held in memory: about 60 bytes a request.


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go: scheme http or https, host, port, and the path that comes before every route."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """The parts of a base URL; raises UsageError when it is none."""
        try:
            parts = urlsplit(url.strip())
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise _not_a_url(url) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise _not_a_url(url)
        if any(character.isspace() or not character.isprintable() for character in parts.path + parts.hostname):
            raise _not_a_url(url)
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))

    @property
    def name(self) -> str:
        """Host and port, as a Host header and an operator write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.scheme}://{self.name}{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """`users` who each wait `think_seconds` on average between two requests, for `duration_seconds`."""

    address: Address
    users: int
    think_seconds: float
    duration_seconds: float
    seed: int = 1
    events: bool = False  # Also write: analytics events, the one request that changes data.

    def __post_init__(self) -> None:
        _check(1 <= self.users <= USERS_MOST, f"Users are from 1 to {USERS_MOST:,}, not {self.users:,}.")
        _check_range("Think time", self.think_seconds, THINK_SECONDS)
        _check_range("Duration", self.duration_seconds, DURATION_SECONDS)
        _check(0 <= self.seed < 2**63, "The seed is a number from 0 to 2^63 - 1.")
        asked = self.target_rate * self.duration_seconds
        _check(
            asked <= REQUESTS_MOST,
            f"This plan asks for {asked:,.0f} requests; one run makes {REQUESTS_MOST:,} at most.",
            "Shorten the duration, take fewer users or let them think longer.",
        )

    @property
    def target_rate(self) -> float:
        """Requests per second that these users start, whatever the server does: N / Z."""
        return self.users / self.think_seconds


def base_url(settings: Settings) -> str:
    """The console's own base URL."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def require_address(settings: Settings, address: Address, typed: str | None) -> None:
    """Return when requests may go there: loopback, the console itself, or a host whose name is typed; raises TargetError."""
    if is_loopback(address.host) or address == Address.parse(base_url(settings)):
        return
    require_typed(address.host, typed, f"This sends load to {address.host}, which is not this machine.")


def require_platform(settings: Settings, typed: str | None) -> None:
    """Return when the watched database of these settings may bear load: the embedded one, or its name is typed."""
    if not settings.database_embedded:
        name = settings.target_name
        require_typed(name, typed, f"This puts load on {name}, which is not the embedded database.")


def _check_range(what: str, value: float, bounds: tuple[float, float]) -> None:
    least, most = bounds
    allowed = math.isfinite(value) and least <= value <= most
    _check(allowed, f"{what} is from {least:g} to {most:,.0f} seconds, not {value:g}.")


def _check(condition: bool, message: str, next_step: str | None = None) -> None:
    if not condition:
        raise UsageError(message, next_step)


def _not_a_url(url: str) -> UsageError:
    return UsageError(f"{url!r} is not a base URL.", "Write it like http://127.0.0.1:8501, without user name or query.")
