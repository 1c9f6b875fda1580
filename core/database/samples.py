"""Samples: parameter sets that named queries were really asked with, so that a proof replays them.

Owns the list of queries that may be sampled and which of their parameters; bounded, and in memory only. Refuses everything
that could say something of a person: queries that are asked by a person's id, free text, and any text that is no plain word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import asyncpg

from core.database.pool import Database
from core.database.queries import Queries

MAX_SETS = 200  # Of one query: the number that the P95 of the proofs in docs/decisions stands on.
MEMORY_CALLS = 2_000  # A set that is older than about so many calls is likely to have made room for a newer one.

# Query -> the filters that may be sampled with it. A lead's id names a person, and the words of a search may.
SAMPLED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "lead_list": frozenset({"market"}),
        "lead_scoring_model": frozenset(),
        "market_list": frozenset({"market"}),
        "market_series": frozenset(),
        "property_search": frozenset({"market", "min_price", "max_price", "property_type", "min_bedrooms"}),
        "property_search_filters": frozenset(),
        "ai_answers": frozenset(),
    }
)
_WORD = re.compile(r"[A-Za-z0-9_.:-]{0,64}")


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """What one call was asked with: the query's own arguments, then its filters by name, in their order."""

    args: tuple[object, ...]
    filters: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is kept of one query; `calls` were eligible since the start, `newest_at` is None before the first."""

    query: str
    sets: tuple[ParameterSet, ...]
    calls: int
    newest: ParameterSet | None
    newest_at: datetime | None


class ParameterSamples:
    """A reservoir per query (Vitter 1985, algorithm R) whose memory is bounded, so that it follows the traffic.

    Sets are kept as often as they were asked for: a proof weighs them like the traffic does.
    """

    def __init__(self, allowed: Mapping[str, frozenset[str]] = SAMPLED, *, chance: random.Random | None = None) -> None:
        self._allowed = allowed
        self._random = (chance or random.Random()).random  # noqa: S311 - a sample, no secret
        self._kept: dict[str, _Reservoir] = {}

    def offer(self, query: str, args: tuple[object, ...], filters: Mapping[str, object] | None) -> None:
        """One call; costs a lookup, and a copy for those that are kept."""
        allowed = self._allowed.get(query)
        if allowed is None or not (filters is None or allowed.issuperset(filters)):
            return
        kept = self._kept.get(query)
        if kept is None:
            kept = self._kept[query] = _Reservoir()
        kept.calls += 1
        place = len(kept.sets)
        if place >= MAX_SETS:
            place = int(self._random() * min(kept.calls, MEMORY_CALLS))
            if place >= MAX_SETS:
                return
        values = (*args, *(filters.values() if filters else ()))
        if all(map(_impersonal, values)):
            kept.put(place, ParameterSet(_copied(args), tuple(filters.items()) if filters else ()))

    def of(self, query: str) -> Sampling:
        """What is kept of a query now."""
        kept = self._kept.get(query) or _Reservoir()
        return Sampling(query, tuple(kept.sets), kept.calls, kept.newest, kept.newest_at)

    def may_sample(self, query: str) -> bool:
        """Whether parameters of this query are ever kept."""
        return query in self._allowed


def compose(queries: Queries, name: str, asked: ParameterSet) -> tuple[str, tuple[object, ...]]:
    """The SQL and the arguments of one parameter set."""
    sql, values = queries.compose(name, dict(asked.filters))
    return sql, (*asked.args, *values)


class SampledDatabase(Database):
    """A Database that offers each call's parameters to samples before it asks."""

    def __init__(self, *args: Any, samples: ParameterSamples, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._samples = samples

    def fetch_all(
        self, sql_or_name: str, *args: object, filters: Mapping[str, object] | None = None, stale_ok: bool = False
    ) -> Coroutine[Any, Any, Sequence[asyncpg.Record]]:
        """As Database has it; no coroutine of its own, which would cost more than the sample."""
        self._samples.offer(sql_or_name, args, filters)
        return super().fetch_all(sql_or_name, *args, filters=filters, stale_ok=stale_ok)

    def fetch_one(self, sql_or_name: str, *args: object, stale_ok: bool = False) -> Coroutine[Any, Any, asyncpg.Record | None]:
        """As Database has it."""
        self._samples.offer(sql_or_name, args, None)
        return super().fetch_one(sql_or_name, *args, stale_ok=stale_ok)


@dataclass(slots=True)
class _Reservoir:
    sets: list[ParameterSet] = field(default_factory=list)
    calls: int = 0
    newest: ParameterSet | None = None
    newest_at: datetime | None = None

    def put(self, place: int, asked: ParameterSet) -> None:
        self.newest, self.newest_at = asked, datetime.now(UTC)
        if place < len(self.sets):
            self.sets[place] = asked
        else:
            self.sets.append(asked)


def _impersonal(value: object) -> bool:
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    if isinstance(value, list | tuple):
        return len(value) <= MAX_SETS and all(map(_impersonal, value))
    return value is None or isinstance(value, bool | int | float | date)


def _copied(args: tuple[object, ...]) -> tuple[object, ...]:
    """A list may be changed by its owner."""
    return tuple(list(value) if isinstance(value, list) else value for value in args)
