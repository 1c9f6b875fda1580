"""WarmPlan: which keys are to be in the cache, in what order and by when, as data.

Owns the words of a plan and their check. Shipped plans are in `plans.toml`; an operator's own file adds to them, and changes
the fields that it names of a plan with the same name. Refuses a plan that cannot work when it is read, not when it runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.cache.policy import Priority
from core.cache.warming.plan_fields import Fields
from core.errors import SettingsError, UsageError

PLANS_FILE = Path(__file__).with_name("plans.toml")
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
DEFAULT_LIMIT, MOST_KEYS = 1_000, 100_000
SOURCES: Final = ("query", "most_missed", "access_log")
ENTRY = "PLAN HH:MM ZONE"

Order = Literal["given", "most_expensive", "most_wanted"]
Source = Literal["list", "query", "most_missed", "access_log"]


@dataclass(frozen=True, slots=True)
class ReadyBy:
    """The hour of each day at which a plan's keys are wanted, by the clocks of a zone."""

    at: time
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.at:%H:%M} {self.zone.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPlan:
    """One plan. A key is `family:rest`, or a path of the API such as `/api/leads?market=austin`, which means the key it reads.

    `templates` are such keys with the columns of a query's rows in braces. Without `ttl_seconds` and `priority` those of each
    key's family hold.
    """

    name: str
    title: str
    note: str = ""
    origin: str = "shipped"
    keys: tuple[str, ...] = ()
    query: str = ""
    arguments: tuple[str | int | float, ...] = ()
    templates: tuple[str, ...] = ()
    most_missed: bool = False
    access_log: Path | None = None
    ttl_seconds: float | None = None
    priority: Priority | None = None
    order: Order = "given"
    limit: int = DEFAULT_LIMIT
    ready_by: ReadyBy | None = None

    @property
    def source(self) -> Source:
        """Where its keys come from; what it lists itself comes first."""
        return "query" if self.query else "most_missed" if self.most_missed else "access_log" if self.access_log else "list"


class WarmPlans:
    """The plans by name, in the order of their files."""

    def __init__(self, plans: tuple[WarmPlan, ...]) -> None:
        self._plans = {plan.name: plan for plan in plans}

    def __iter__(self) -> Iterator[WarmPlan]:
        return iter(self._plans.values())

    def __contains__(self, name: object) -> bool:
        return name in self._plans

    def __getitem__(self, name: str) -> WarmPlan:
        try:
            return self._plans[name]
        except KeyError:
            raise UsageError(f"There is no warm plan {name!r}.", f"The plans are: {', '.join(self._plans)}.") from None


def read_plans(own: Path | None = None, schedule: str = "") -> WarmPlans:
    """The shipped plans, those of an operator's own file, and the hours of `PLAN HH:MM ZONE, ...`; raises SettingsError."""
    tables: dict[str, tuple[str, dict[str, Any]]] = {name: ("shipped", table) for name, table in _tables(PLANS_FILE).items()}
    for name, table in _tables(own).items() if own is not None else ():
        before = tables[name][1] if name in tables else {}
        tables[name] = (str(own), _merged(before, table))
    plans = {name: _plan(name, origin, table) for name, (origin, table) in tables.items()}
    for name, ready_by in _schedule(schedule).items():
        if name not in plans:
            raise SettingsError(f"CACHE_WARM_SCHEDULE names the plan {name!r}, which does not exist: {', '.join(plans)}.")
        plans[name] = replace(plans[name], ready_by=ready_by)
    return WarmPlans(tuple(plans.values()))


def plan_names(text: str, plans: WarmPlans) -> tuple[str, ...]:
    """The names in `a, b`; raises SettingsError for one that is no plan."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in plans:
            known = ", ".join(plan.name for plan in plans)
            raise SettingsError(f"CACHE_WARM_ON_START names the plan {name!r}, which does not exist: {known}.")
    return names


def ready_by_of(at: str | time, zone: str) -> ReadyBy:
    """The hour of a day in a zone of the IANA database; raises ValueError that says what is wrong."""
    try:
        moment = at if isinstance(at, time) else time.fromisoformat(at)
    except ValueError:
        raise ValueError(f"{at!r} is no time of a day such as 08:00") from None
    try:
        return ReadyBy(moment.replace(second=0, microsecond=0, tzinfo=None), ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone!r} is no zone such as America/Chicago") from None


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"CACHE_WARM_PLANS: {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"CACHE_WARM_PLANS: {path} is no TOML: {error}.") from error
    for name, table in tables.items():
        if not isinstance(table, dict) or not NAME.fullmatch(name):
            raise SettingsError(f"{path}: {name!r} is no plan; write [{'a_name'}] and its fields below.")
    return tables


def _merged(before: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of both; a table that says where keys come from replaces that as a whole."""
    if any(name in table for name in (*SOURCES, "keys")):
        before = {name: value for name, value in before.items() if name not in (*SOURCES, "keys", "key", "arguments")}
    return {**before, **table}


def _plan(name: str, origin: str, table: Mapping[str, Any]) -> WarmPlan:
    fields = Fields(f"{PLANS_FILE.name if origin == 'shipped' else origin}: plan {name}", table)
    given = [source for source in (*SOURCES, "keys") if table.get(source)]
    fields.require(bool(given), "says where its keys come from: query, keys, most_missed or access_log")
    fields.require(len(set(given) - {"keys"}) <= 1, f"has one source beside keys, not {' and '.join(given)}")
    fields.require(("query" in table) == ("key" in table), "has a `key` for the rows of its `query`, and only then")
    log = fields.text("access_log", "")
    plan = WarmPlan(
        name=name,
        title=fields.text("title", name.replace("_", " ").capitalize()),
        note=fields.text("note", ""),
        origin=origin,
        keys=fields.texts("keys"),
        query=fields.text("query", ""),
        arguments=fields.arguments("arguments"),
        templates=fields.texts("key"),
        most_missed=fields.flag("most_missed"),
        access_log=Path(log).expanduser() if log else None,
        ttl_seconds=fields.number("ttl_seconds"),
        priority=fields.choice("priority", get_args(Priority)),
        order=fields.choice("order", get_args(Order)) or "given",
        limit=fields.whole("limit", DEFAULT_LIMIT, MOST_KEYS),
        ready_by=fields.ready_by(ready_by_of),
    )
    fields.end()
    return plan


def _schedule(text: str) -> dict[str, ReadyBy]:
    found = {}
    for entry in (part.split() for part in text.split(",") if part.strip()):
        if len(entry) != 3:
            raise SettingsError(f"CACHE_WARM_SCHEDULE has {' '.join(entry)!r}, which is not {ENTRY}.")
        try:
            found[entry[0]] = ready_by_of(entry[1], entry[2])
        except ValueError as error:
            raise SettingsError(f"CACHE_WARM_SCHEDULE: {error}. Write {ENTRY}.") from error
    return found
