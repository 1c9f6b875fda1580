"""PlanKeys: the keys of a plan, derived anew each time that they are asked for.

Owns the way from a plan's source to keys in their order. Refuses nothing as a whole for one bad key: what cannot be loaded is
counted, with the first reasons.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from core.cache.families import Families, family_of
from core.cache.insight import KeyCount
from core.cache.warming.access_log import count_log
from core.cache.warming.plans import MOST_KEYS, WarmPlan
from core.errors import UsageError
from core.ports import Rows

COLUMN = re.compile(r"\{([a-z_]+)\}")
REASONS_KEPT = 5


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """One key: how often its source says that it is asked for, and what one load takes, where that was measured."""

    key: str
    family: str
    wanted: float = 0.0
    cost_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedKeys:
    """The keys in their order; how many were beyond the plan's limit, and how many no loader takes, with the first reasons."""

    keys: tuple[PlannedKey, ...]
    beyond_limit: int = 0
    refused: int = 0
    reasons: tuple[str, ...] = ()


class PlanKeys:
    """Derives keys; `key_of_path` turns a path of the API into the key that it reads, and raises UsageError."""

    def __init__(
        self,
        rows: Rows,
        families: Families,
        most_missed: Callable[[int], Sequence[KeyCount]],
        key_of_path: Callable[[str], str],
    ) -> None:
        self._rows = rows
        self._families = families
        self._most_missed = most_missed
        self._key_of_path = key_of_path

    async def of(self, plan: WarmPlan) -> PlannedKeys:
        """The plan's keys, each once; raises DependencyError, QueryError or UsageError when its source cannot be read."""
        found: dict[str, PlannedKey] = {}
        refused = 0
        reasons: list[str] = []
        for text, wanted, cost in [*((text, 0.0, None) for text in plan.keys), *await self._from_source(plan)]:
            try:
                planned = self._planned(text, wanted, cost)
            except UsageError as error:
                refused += 1
                if len(reasons) < REASONS_KEPT:
                    reasons.append(str(error))
                continue
            before = found.get(planned.key)
            found[planned.key] = replace(planned, wanted=planned.wanted + before.wanted) if before else planned
        ordered = self._ordered(plan, list(found.values()))
        return PlannedKeys(tuple(ordered[: plan.limit]), max(0, len(ordered) - plan.limit), refused, tuple(reasons))

    def _planned(self, text: str, wanted: float, cost: float | None) -> PlannedKey:
        key = self._key_of_path(text) if text.startswith("/") else text
        family, _ = self._families.of(key)
        return PlannedKey(key, family.name, wanted, cost)

    async def _from_source(self, plan: WarmPlan) -> list[tuple[str, float, float | None]]:
        if plan.query:
            rows = await self._rows.fetch_all(plan.query, *plan.arguments)
            return list(_filled(plan, rows[:MOST_KEYS]))
        if plan.most_missed:
            missed = self._most_missed(min(plan.limit, MOST_KEYS))
            return [(item.key, float(item.count), _cost(item)) for item in missed if _has_family(item.key, self._families)]
        if plan.access_log is not None:
            counted = await asyncio.to_thread(count_log, plan.access_log)
            return [(text, float(count), None) for text, count in counted.counts]
        return []

    def _ordered(self, plan: WarmPlan, keys: list[PlannedKey]) -> list[PlannedKey]:
        if plan.order == "most_wanted":
            return sorted(keys, key=lambda item: -item.wanted)
        if plan.order == "most_expensive":
            costs = _Costs(self._most_missed(MOST_KEYS))
            keys = [replace(item, cost_seconds=costs.of(item)) for item in keys]
            return sorted(keys, key=lambda item: -(item.cost_seconds or 0.0))
        return keys


class _Costs:
    """What one load of a key took in the last hour: its own mean, or that of its family."""

    def __init__(self, missed: Iterable[KeyCount]) -> None:
        self._keys: dict[str, float] = {}
        sums: dict[str, list[float]] = {}
        for item in missed:
            cost = _cost(item)
            if cost is not None:
                self._keys[item.key] = cost
                family = sums.setdefault(family_of(item.key), [0.0, 0.0])
                family[0] += item.load_seconds
                family[1] += item.count
        self._families = {name: seconds / count for name, (seconds, count) in sums.items()}

    def of(self, planned: PlannedKey) -> float | None:
        if planned.cost_seconds is not None:
            return planned.cost_seconds
        return self._keys.get(planned.key, self._families.get(planned.family))


def _filled(plan: WarmPlan, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float, float | None]]:
    """Each row in each template; the columns `wanted` and `cost_seconds` count, where a query has them."""
    for row in rows:
        columns = dict(row.items())
        wanted, cost = columns.get("wanted"), columns.get("cost_seconds")
        for template in plan.templates:
            yield _fill(plan, template, columns), float(wanted or 0.0), None if cost is None else float(cost)


def _fill(plan: WarmPlan, template: str, columns: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in columns:
            rule = f"The query {plan.query} has the columns {', '.join(columns)}, and not {match[1]}."
            raise UsageError(f"Plan {plan.name}: {rule}", "Correct the `key` of the plan.")
        found = columns[match[1]]
        return "" if found is None else quote(str(found), safe="")

    return COLUMN.sub(value, template)


def _cost(item: KeyCount) -> float | None:
    return item.load_seconds / item.count if item.count and item.load_seconds > 0 else None


def _has_family(key: str, families: Families) -> bool:
    """Keys of callers that bring their own loader are missed too, and cannot be warmed."""
    return family_of(key) in families
