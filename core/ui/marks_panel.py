"""Marks: the place to make one by hand, and those of the window with what they lead to."""

from __future__ import annotations

import shlex
import time
from datetime import UTC, datetime, timedelta
from itertools import islice

import streamlit as st

from core.monitor.marks.mark import KEPT_KINDS, LINK, TEXT_MOST, Mark
from core.monitor.marks.marks import Added, MarksView
from core.ui.live_chart import live_view
from core.ui.session import attempt, guard, operator, services
from core.ui.text import plain
from core.ui.verdict import clock

MESSAGE = "mark_message"
AGO = {
    "Now": timedelta(), "5 minutes ago": timedelta(minutes=5), "15 minutes ago": timedelta(minutes=15),
    "1 hour ago": timedelta(hours=1), "3 hours ago": timedelta(hours=3), "1 day ago": timedelta(days=1),
}  # fmt: skip
LISTED = 8
COLOURS = {"alert": "red", "remedy": "green", "deploy": "violet", "change": "violet", "note": "violet"}


def mark_button() -> None:
    """Opens the form and the newest marks of the window; without I/O, and with nothing to draw while it is closed."""
    _say()
    popover = st.popover("Mark", icon=":material/flag:", key="mark", on_change="rerun", help="Put a mark on the time axis.")
    if popover.open:
        with popover:
            _form()
            _newest(services().marks.look())


def _form() -> None:
    st.markdown("All live charts show it, at once and in every window.")
    text = st.text_input("What happened", key="mark-text", max_chars=TEXT_MOST, placeholder="New scoring model switched on")
    kind = st.segmented_control("Kind", KEPT_KINDS, default="change", required=True, key="mark-kind")
    ago = st.selectbox("When", list(AGO), key="mark-ago")
    st.code(_line(text, kind, AGO[ago]), language="bash", wrap_lines=True)
    st.button("Set the mark", key="mark-set", type="primary", icon=":material/flag:", on_click=_set)


def _line(text: str, kind: str, ago: timedelta) -> str:
    """The same on the command line; a moment is written down where it is not now."""
    at = f" --at {datetime.now(UTC) - ago:%Y-%m-%dT%H:%M:00Z}" if ago else ""
    return f"python -m core mark {shlex.quote(' '.join(text.split()) or 'what happened')} --kind {kind}{at}"


def _set() -> None:
    guard("operator")
    state, box = st.session_state, list[Added]()
    kind, text, who = state["mark-kind"], state["mark-text"], operator()
    at = datetime.now(UTC) - AGO[state["mark-ago"]]

    async def work() -> None:
        box.append(await services().marks.add(kind, text, who=who, at=at))

    state[MESSAGE] = attempt(work()) or box[0].stored
    if box:
        state["mark-text"] = ""


def _say() -> None:
    """What the last one came to: an error until the next, a success once."""
    done = {
        "new": "The mark is on the charts.", "known": "This mark was there already.",
        "waiting": "The mark is on the charts; it is stored when the console's store is back.",
    }  # fmt: skip
    message = st.session_state.get(MESSAGE, "")
    if message in done:
        st.session_state.pop(MESSAGE)
        st.toast(done[message], icon=":material/flag:")
    elif message:
        st.error(plain(message), icon=":material/error:")


def _newest(view: MarksView) -> None:
    since, now = time.time() - live_view().window_seconds, datetime.now(UTC)
    marks = list(islice((mark for mark in reversed(view.marks) if mark.last >= since), LISTED))
    st.markdown("**In the window of the charts**")
    st.markdown("\n".join(f"- {_told(mark, now)}" for mark in marks) or "No mark yet.")
    if view.age_seconds is None or view.error:
        age = "have not been read yet" if view.age_seconds is None else f"are {view.age_seconds:.0f} s old"
        st.caption(f"Marks of the store {age}. {plain(view.error)}")
    if view.waiting:
        st.caption(f"{view.waiting} of them wait for the console's store.")


def _told(mark: Mark, now: datetime) -> str:
    begun = clock(datetime.fromtimestamp(mark.at, UTC), now)
    end = " to now" if mark.running else f" to {clock(datetime.fromtimestamp(mark.end, UTC), now)}" if mark.end else ""
    colour = "orange" if mark.level == "warning" else COLOURS.get(mark.kind, "blue")
    who = f" · {plain(mark.who)}" if mark.who else ""
    # A path from here is found under whatever path the console is served, and never names another host.
    address = f"{'.' if mark.link.startswith('/') else ''}{mark.link}".replace("(", "%28").replace(")", "%29")
    link = f" [open]({address})" if address and LINK.fullmatch(mark.link) else ""
    return f"{begun}{end} :{colour}[{mark.level or mark.kind}] {plain(mark.text)}{who}{link}"
