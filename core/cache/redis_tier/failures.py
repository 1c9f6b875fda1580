"""Failures: what Redis' refusals and the network's failures mean in the tree of core.errors."""

from __future__ import annotations

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.errors import DependencyDown, DependencyError, DependencyTimeout

# Looked for in the class and the words of the error, in this order: a script passes a refusal on inside a sentence of its own.
_REFUSALS: tuple[tuple[tuple[str, ...], type[DependencyError], str, str], ...] = (
    (
        ("wrongpass", "noauth", "authentication", "invalid username", "invalid password"), DependencyDown,
        "Redis refuses the user or the password", "Correct user and password in REDIS_URL.",
    ),
    (("busyloading", "is loading"), DependencyDown, "Redis is loading its data", "Wait: it answers when it has read its file."),
    (
        ("max number of clients",), DependencyDown,
        "Redis takes no more connections", "Raise maxclients of that Redis, or find who keeps so many connections.",
    ),
    (
        ("masterdown",), DependencyDown,
        "The replica has lost its primary", "Look at the primary, or let REDIS_URL name another.",
    ),
    (
        ("readonly",), DependencyError,
        "Redis is a read-only replica and stores nothing", "Let REDIS_URL name the primary.",
    ),
    (
        ("used memory > 'maxmemory'",), DependencyError,
        "Redis is full and stores nothing", "Raise its maxmemory, or set maxmemory-policy to allkeys-lru.",
    ),
    (
        ("misconf",), DependencyError,
        "Redis cannot save to its disk and stores nothing", "Free space on the disk of that Redis, and read its log.",
    ),
    (
        ("noperm", "nopermission"), DependencyError,
        "Redis refuses the command to this user", "Give the user the rights that docs/architecture.md names.",
    ),
)  # fmt: skip


def translated(error: BaseException) -> DependencyError:
    """The error of our tree; the caller raises it `from` the one given."""
    words = f"{type(error).__name__} {error}".lower()
    for signs, kind, message, next_step in _REFUSALS:
        if any(sign in words for sign in signs):
            return kind(f"{message}: {error}", next_step)
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return DependencyTimeout("Redis did not answer in time.")
    if isinstance(error, OSError | RedisConnectionError):
        return DependencyDown(f"Redis cannot be reached: {error}")
    return DependencyError(f"Redis refused the command: {error}", "Read its message; it names the command's fault.")


def is_refused_right(error: object) -> bool:
    """Whether the user lacks the right to this command."""
    return isinstance(error, BaseException) and "permission" in f"{type(error).__name__} {error}".lower()
