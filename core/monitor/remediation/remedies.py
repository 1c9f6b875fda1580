"""Remedies: what may be done about a breach, as data: when it may run, how its effect is judged, and when it is undone.

Owns the reading of `remedies.toml`. Knows nothing of how a remedy does what it does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from core.errors import UsageError

SHIPPED = Path(__file__).with_name("remedies.toml")

Automatic = Literal["on", "off", "embedded"]
UndoWhen = Literal["over", "worse", "no effect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One remedy; `rules` call for it, the first is judged by where none of them is broken.

    `why` gives the reason for `automatic`. After a run nothing is run by itself for `cooldown_seconds`, and never more than
    `most_per_hour`, by hand neither. Its effect is judged `settle_seconds` and the rule's window after it, by at least
    `minimum_samples` on both sides. What it changed lasts no longer than `lasts_most_seconds`.
    """

    name: str
    title: str
    does: str
    rules: tuple[str, ...]
    automatic: Automatic
    why: str
    cooldown_seconds: float
    most_per_hour: int
    settle_seconds: float
    minimum_samples: int
    least_change: float
    not_while: tuple[str, ...] = ()
    undo_when: tuple[UndoWhen, ...] = ()
    lasts_most_seconds: float = 3_600.0

    def automatic_here(self, *, embedded: bool) -> bool:
        """Whether it runs by itself where no operator has said otherwise; `embedded` is the watched database."""
        return self.automatic == "on" or (self.automatic == "embedded" and embedded)


def load_remedies(rules: Collection[str], file: Path = SHIPPED) -> tuple[Remedy, ...]:
    """The shipped remedies; raises UsageError for one that cannot work with these rules."""
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return tuple(_remedy(name, table, rules) for name, table in tables.items())


def _remedy(name: str, table: Mapping[str, Any], rules: Collection[str]) -> Remedy:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    if unknown := values.keys() - {item.name for item in fields(Remedy)}:
        raise UsageError(f"remedies.toml: {name} has fields that no remedy has: {', '.join(sorted(unknown))}.")
    remedy = Remedy(name=name, **values)
    if unknown := {*remedy.rules, *remedy.not_while} - set(rules):
        raise UsageError(f"remedies.toml: {name} names rules that are not there: {', '.join(sorted(unknown))}.")
    return remedy
