"""Verdict: the first line of the overview, judged from what Health and Setup found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.health import DependencyStatus
from core.setup import SetupStep

State = Literal["fine", "not_fine", "cannot_tell"]
STALE_CHECKS = 5  # A check that is this many intervals late says nothing of now.


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all is well, since when (UTC), why, and what to do; `warning`: not fine, but no reason to wake anybody."""

    state: State
    since: datetime | None
    reason: str
    next_step: str = ""
    warning: bool = False


def headline(verdict: Verdict, say_moment: Callable[[datetime], str], say_lasting: Callable[[datetime], str]) -> str:
    """The first line; the caller says moments, and how long it is since one, in its reader's zone and units."""
    if verdict.state == "fine" and verdict.since:
        return f"Fine since {say_moment(verdict.since)}"
    if verdict.state == "not_fine":
        lasting = f", {say_lasting(verdict.since)}" if verdict.since else ""
        return f"Not fine{lasting}: {verdict.reason}"
    return f"Cannot tell: {verdict.reason}"


def judge(
    dependencies: Sequence[DependencyStatus], steps: Sequence[SetupStep], now: datetime, interval_seconds: float
) -> Verdict:
    """The worst finding decides: down, then failed setup, then not known yet, then fine."""
    if down := [item for item in dependencies if item.state == "down"]:
        first = min(down, key=lambda item: item.since)
        names = " and ".join(item.title for item in down)
        verb = "does" if len(down) == 1 else "do"
        return Verdict("not_fine", first.since, f"{names} {verb} not answer", first.next_step)
    if failed := next((step for step in steps if step.state == "failed"), None):
        return Verdict("not_fine", None, f"{failed.title}: {failed.detail}", failed.next_step)
    if starting := [item.title for item in dependencies if item.state == "starting"]:
        return Verdict("cannot_tell", None, f"{' and '.join(starting)} {'is' if len(starting) == 1 else 'are'} starting")
    if running := next((step for step in steps if step.state in ("waiting", "running")), None):
        return Verdict("cannot_tell", None, f"setting up: {running.title.lower()}{_percent(running)}")
    stale_seconds = STALE_CHECKS * interval_seconds
    if late := [item for item in dependencies if item.checked_at and (now - item.checked_at).total_seconds() > stale_seconds]:
        return Verdict("cannot_tell", late[0].checked_at, f"{late[0].title} was not checked for {stale_seconds:g} s")
    return Verdict("fine", max(item.since for item in dependencies), _past(dependencies))


def _percent(step: SetupStep) -> str:
    return f", {step.detail} {100 * step.done // step.total} %" if step.total else ""


def _past(dependencies: Sequence[DependencyStatus]) -> str:
    outages = [(item.last_outage, item.title) for item in dependencies if item.last_outage]
    if not outages:
        return ""
    outage, title = max(outages, key=lambda pair: pair[0].ended_at)
    seconds = max(1, round((outage.ended_at - outage.started_at).total_seconds()))
    return f"{title} did not answer for {seconds} s before that"
