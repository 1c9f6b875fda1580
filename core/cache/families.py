"""Family: what all keys of one prefix have in common, and how any one of them is loaded.

Owns the form of a key: `family:rest`. With the loader known by family, a key alone is enough to warm or to refresh a value.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from core.cache.policy import Priority
from core.errors import UsageError

KEY = re.compile(r"([a-z_]+):(.+)", re.DOTALL)


def _no_tags(_rest: str) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family; `load` gets the key without its family and returns a value, or ABSENT when there is none."""

    name: str
    title: str
    load: Callable[[str], Awaitable[Any]]
    ttl_seconds: float
    priority: Priority = "normal"
    negative_ttl_seconds: float = 30.0
    tags: Callable[[str], tuple[str, ...]] = _no_tags


class Families:
    """The families of this platform, by name."""

    def __init__(self, families: tuple[Family, ...] = ()) -> None:
        self._families = {family.name: family for family in families}

    def __iter__(self) -> Iterator[Family]:
        return iter(self._families.values())

    def __contains__(self, name: object) -> bool:
        return name in self._families

    def add(self, family: Family) -> None:
        """Make a family known; each name once."""
        if family.name in self._families:
            raise ValueError(f"The family {family.name} is known already.")
        self._families[family.name] = family

    def of(self, key: str) -> tuple[Family, str]:
        """The family of a key and the rest of the key; raises UsageError for a key of no family."""
        name, rest = split(key)
        try:
            return self._families[name], rest
        except KeyError:
            known = ", ".join(sorted(self._families)) or "none"
            raise UsageError(f"The family {name!r} has no loader.", f"Families with a loader: {known}.") from None


def family_of(key: str) -> str:
    """The family in a key."""
    return key.partition(":")[0]


def split(key: str) -> tuple[str, str]:
    """A key's family and rest; raises UsageError when it is not `family:rest`."""
    match = KEY.fullmatch(key)
    if match is None:
        raise UsageError(f"{key[:80]!r} is no key.", "A key is family:rest, the family in small letters and _.")
    return match[1], match[2]
