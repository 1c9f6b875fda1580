"""RemedyBook: the runs of every remedy and what operators said of running it by itself; when the next may run; pure.

Owns the cooldown, the maximum per hour and the rule that what did not help is not tried again by itself in one incident.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import UsageError
from core.monitor.remediation.remedies import Remedy
from core.monitor.remediation.run import RemedyRun

HOUR_SECONDS = 3_600.0
RUNS_KEPT = 50  # Of each remedy; more than any of them may run in an hour.
WHY_MOST_CHARACTERS = 300
FRUITLESS = ("no effect", "worse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An operator's word on whether a remedy runs by itself; `at` in seconds since 1970."""

    remedy: str
    automatic: bool
    who: str
    why: str
    at: float


class RemedyBook:
    """The caller serialises; times are steady seconds."""

    def __init__(self, remedies: Sequence[Remedy], *, embedded: bool) -> None:
        self.remedies = {remedy.name: remedy for remedy in remedies}
        self.choices: dict[str, Choice] = {}
        self.unwritten: dict[str, Choice] = {}
        self._embedded = embedded
        self._runs: dict[str, deque[RemedyRun]] = {name: deque(maxlen=RUNS_KEPT) for name in self.remedies}

    def remedy(self, name: str) -> Remedy:
        """A remedy by its name; raises UsageError."""
        if name not in self.remedies:
            raise UsageError(f"There is no remedy {name}.", f"Choose one of {', '.join(self.remedies)}.")
        return self.remedies[name]

    def automatic(self, name: str) -> bool:
        """Whether it runs by itself."""
        choice = self.choices.get(name)
        return self.remedies[name].automatic_here(embedded=self._embedded) if choice is None else choice.automatic

    def choose(self, name: str, *, automatic: bool, who: str, why: str, wall: float) -> Choice:
        """Let a remedy run by itself from now on, or no longer; raises UsageError."""
        remedy = self.remedy(name)
        choice = Choice(remedy=remedy.name, automatic=automatic, who=who, why=checked(why), at=wall)
        self.choices[name] = self.unwritten[name] = choice
        return choice

    def restore(self, choices: Sequence[Choice], runs: Sequence[RemedyRun]) -> None:
        """Take up what the last run of the console left; what was said since has the last word."""
        self.choices = {choice.remedy: choice for choice in choices if choice.remedy in self.remedies} | self.choices
        for name, held in self._runs.items():
            known = {run.key: run for run in runs if run.remedy == name} | {run.key: run for run in held}
            self._runs[name] = deque(sorted(known.values(), key=lambda run: run.began_at), RUNS_KEPT)

    def put(self, run: RemedyRun) -> None:
        """A run, or its newer state."""
        runs = self._runs[run.remedy]
        place = next((place for place, known in enumerate(runs) if known.key == run.key), None)
        if place is None:
            runs.append(run)
        else:
            runs[place] = run

    def runs(self, name: str) -> tuple[RemedyRun, ...]:
        """The last runs of a remedy, the newest first."""
        return tuple(reversed(tuple(self._runs[name])))

    def going_on(self, name: str) -> RemedyRun | None:
        """The run of it that acts, is judged or is in force."""
        return next((run for run in self.runs(name) if run.going_on), None)

    def next_at(self, name: str, now: float, *, by_hand: bool) -> float:
        """From when on it may run again; by hand the cooldown does not count, the maximum per hour does."""
        remedy, runs = self.remedies[name], self.runs(name)
        moments = [now]
        if len(runs) >= remedy.most_per_hour:
            moments.append(runs[remedy.most_per_hour - 1].began_at + HOUR_SECONDS)
        if runs and not by_hand:
            moments.append((runs[0].ended_at or runs[0].began_at) + remedy.cooldown_seconds)
        return max(moments)

    def not_again(self, name: str, incident: str) -> str:
        """Why it is not tried again by itself in this incident; empty where it may be."""
        for run in self.runs(name):
            if run.incident != incident:
                continue
            if run.stopped_by:
                return f"{run.stopped_by} took it back in this incident"
            if run.phase == "failed":
                return f"it failed in this incident: {run.reason}"
            if run.effect in FRUITLESS:
                return "it did not help in this incident"
        return ""


def checked(why: str) -> str:
    """A reason as it is kept; raises UsageError for none, or one that is too long."""
    if not 0 < len(why.strip()) <= WHY_MOST_CHARACTERS:
        raise UsageError("The reason is missing, or too long.", f"Say why, in at most {WHY_MOST_CHARACTERS} characters.")
    return why.strip()


def to_choice(document: Mapping[str, Any]) -> Choice:
    """Out of JSON; raises TypeError for what another version wrote in another form."""
    return Choice(**document)
