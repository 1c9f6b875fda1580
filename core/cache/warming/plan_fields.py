"""Fields: the fields of one table of a plans file, each taken once and checked.

Owns the sentences for what is wrong: file, plan, field and what would be right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from typing import Any, NoReturn, TypeVar

from core.errors import SettingsError

T = TypeVar("T")
NEXT_STEP = "Correct the plans file and start again."


class Fields:
    """Takes fields from a table; every method raises SettingsError."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        self._where = where
        self._left = dict(table)

    def require(self, holds: bool, rule: str) -> None:
        """Refuse the table unless it holds to the rule."""
        if not holds:
            self._refuse(f"a plan {rule}")

    def text(self, name: str, default: str) -> str:
        """Text."""
        value = self._left.pop(name, default)
        return value if isinstance(value, str) else self._refuse(f"{name} is text in quotes, not {value!r}")

    def texts(self, name: str) -> tuple[str, ...]:
        """One text, or a list of them."""
        value = self._left.pop(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) and item for item in values):
            self._refuse(f"{name} is text or a list of texts, not {value!r}")
        return tuple(values)

    def arguments(self, name: str) -> tuple[str | int | float, ...]:
        """What a query is given."""
        values = self._left.pop(name, [])
        if not isinstance(values, list) or not all(isinstance(item, str | int | float) for item in values):
            self._refuse(f"{name} is a list of texts and numbers, not {values!r}")
        return tuple(values)

    def flag(self, name: str) -> bool:
        """True or false; false when it is left out."""
        value = self._left.pop(name, False)
        return value if isinstance(value, bool) else self._refuse(f"{name} is true or false, not {value!r}")

    def number(self, name: str) -> float | None:
        """A number above 0, or None when it is left out."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value <= 0:
            self._refuse(f"{name} is a number above 0, not {value!r}")
        return float(value)

    def whole(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`."""
        value = self._left.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            self._refuse(f"{name} is a whole number from 1 to {most:,}, not {value!r}")
        return int(value)

    def choice(self, name: str, words: Sequence[Any]) -> Any:
        """One of these words, or None when it is left out."""
        value = self._left.pop(name, None)
        return value if value is None or value in words else self._refuse(f"{name} is one of {', '.join(words)}, not {value!r}")

    def ready_by(self, parse: Callable[[str | time, str], T]) -> T | None:
        """The hour in `ready_by` and the zone in `zone`, or None when both are left out."""
        at, zone = self._left.pop("ready_by", None), self._left.pop("zone", None)
        if at is None and zone is None:
            return None
        if not isinstance(at, str | time) or not isinstance(zone, str):
            self._refuse('ready_by and zone belong together, as in ready_by = "08:00" and zone = "America/Chicago"')
        try:
            return parse(at, zone)
        except ValueError as error:
            self._refuse(f"ready_by: {error}")

    def end(self) -> None:
        """Refuse fields that nobody took."""
        if self._left:
            self._refuse(f"there is no field {', '.join(sorted(self._left))}")

    def _refuse(self, what: str) -> NoReturn:
        raise SettingsError(f"{self._where}: {what}.", NEXT_STEP)
