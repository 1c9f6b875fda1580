"""Grouping: which breach explains which, so that one cause is one incident."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.monitor.alerts.rules import Rule


class Grouping:
    """The rules' `explained_by`, followed to its ends."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._order = {rule.name: place for place, rule in enumerate(rules)}
        direct = {rule.name: rule.explained_by for rule in rules}
        self._explainers = {name: _reached(name, direct) for name in direct}

    def explains(self, cause: str, name: str) -> bool:
        """Whether a breach of `cause` explains one of `name`."""
        return cause in self._explainers.get(name, ())

    def root(self, name: str, breached: Collection[str]) -> str:
        """The deepest of the breached rules that explain this one, else itself."""
        found = self._explainers.get(name, frozenset()) & set(breached)
        return min(found, key=lambda cause: self._order[cause], default=name)


def _reached(name: str, direct: dict[str, tuple[str, ...]]) -> frozenset[str]:
    reached: set[str] = set()
    following = list(direct[name])
    while following:
        cause = following.pop()
        if cause not in reached and cause != name:
            reached.add(cause)
            following.extend(direct.get(cause, ()))
    return frozenset(reached)
