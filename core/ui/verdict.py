"""The verdict line: the largest words of a page."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.platform.verdict import Verdict, headline

_LOOK = {
    "fine": ("green", "check_circle"),
    "not_fine": ("red", "error"),
    "cannot_tell": ("orange", "help"),
}


def draw_verdict(verdict: Verdict, now: datetime) -> None:
    """Draw the first line, and under it what to do or what was before."""
    colour, icon = _LOOK[verdict.state]
    line = headline(verdict, lambda moment: clock(moment, now), lambda since: span(now - since))
    st.title(f":{colour}[:material/{icon}:] {line}", anchor=False)
    if verdict.next_step:
        st.markdown(f"**Next:** {verdict.next_step}")
    elif verdict.state == "fine" and verdict.reason:
        st.caption(f"{verdict.reason}.")


def clock(moment: datetime, now: datetime) -> str:
    """A time of day in the browser's zone, with the date when it is not today."""
    shown, today = local(moment), local(now)
    return f"{shown:%H:%M:%S}" if shown.date() == today.date() else f"{shown:%-d %b %H:%M}"


def local(moment: datetime) -> datetime:
    """The moment in the browser's zone."""
    return moment.astimezone(_zone())


def span(length: timedelta) -> str:
    """A length of time in the unit that a person would say it in."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _zone() -> ZoneInfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
