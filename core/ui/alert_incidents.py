"""Incidents as stories: what goes on, with what to do next, and what was."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from core.monitor.alerts.incident import Incident
from core.monitor.alerts.judge import CRITICAL
from core.monitor.alerts.view import AlertsView
from core.ui.alert_actions import acknowledge
from core.ui.text import plain
from core.ui.verdict import clock, span

ICONS = {
    "opened": "error", "joined": "add_circle", "cause": "account_tree", "escalated": "trending_up", "told": "send",
    "untold": "cancel_schedule_send", "acknowledged": "visibility", "remedy": "healing",
    "note": "info", "over": "check", "resolved": "check_circle",
}  # fmt: skip
SHOWN = 20


def open_incidents(view: AlertsView, chosen: str) -> None:
    """Those that go on, the worst first."""
    for incident in view.open:
        with st.container(border=True):
            _head(incident, view)
            st.markdown(f"**Next:** {plain(view.advice(incident))}")
            with st.expander("Story", icon=":material/menu_book:", expanded=len(view.open) == 1 or incident.key == chosen):
                _story(incident, view)
            acknowledge(incident)


def resolved_incidents(view: AlertsView, chosen: str) -> None:
    """The last that are over, the newest first; the one that the address names is open."""
    st.subheader("What was", anchor=False)
    if not view.resolved:
        st.info("No incident is on record.", icon=":material/history:")
        return
    asked = [item for item in view.resolved if item.key == chosen]
    for incident in dict.fromkeys((*asked, *view.resolved[:SHOWN])):
        lasted = span(timedelta(seconds=(incident.resolved_at or view.now) - incident.opened_at))
        began = clock(view.moment(incident.opened_at), view.moment(view.now))
        felt = f", {incident.felt_by} felt it" if incident.felt_by else ""
        label = f"{began}, {lasted}: {plain(incident.title)}{felt}"
        with st.expander(label, icon=":material/error:" if incident.level == CRITICAL else ":material/warning:",
                         expanded=incident.key == chosen):  # fmt: skip
            _story(incident, view)


def _head(incident: Incident, view: AlertsView) -> None:
    critical = incident.level == CRITICAL
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(incident.title)}**", width="content")
        st.badge("critical" if critical else "warning", color="red" if critical else "orange", width="content")
        st.badge(span(timedelta(seconds=view.now - incident.opened_at)), color="gray", width="content")
        if incident.felt_by:
            st.badge(f"{incident.felt_by} felt it", color="gray", width="content")
        if incident.acknowledged is not None and incident.acknowledged_at(view.now):
            st.badge(f"seen by {incident.acknowledged.who}", color="blue", width="content")
        if incident.running and incident.running <= view.silenced:
            st.badge("silenced", color="gray", width="content")


def _story(incident: Incident, view: AlertsView) -> None:
    now = view.moment(view.now)
    for entry in incident.story:
        who = f" · {plain(entry.who)}" if entry.who else ""
        st.markdown(f":material/{ICONS[entry.kind]}: {clock(view.moment(entry.at), now)} {plain(entry.text)}{who}")
    st.caption(f"[Link to this incident](?incident={incident.key})")
