"""The rules with what each stands at, and whether anybody can be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from core.monitor.alerts.fleet import FleetStats
from core.monitor.alerts.view import AlertsStats, AlertsView, RuleStatus
from core.monitor.alerts.words import limit_said, said
from core.platform.promise import standing, why_unknown
from core.ui.text import plain
from core.ui.verdict import span

STATES = {
    "ok": "green", "pending": "blue", "warning": "orange", "critical": "red", "recovering": "blue",
    "no data": "gray", "stale": "gray", "warming up": "gray",
}  # fmt: skip
_text = st.column_config.TextColumn
COLUMNS: dict[str, Any] = {
    "Rule": _text(width=190, pinned=True),
    "State": st.column_config.MultiselectColumn(options=list(STATES), color=list(STATES.values()), width=110),
    "Since": _text(width=70),
    "Value": _text(width=90),
    "Promised": _text(width=90),
    "Critical": _text(width=90, help="Only what is critical may wake somebody; a dash: never."),
    "Samples": st.column_config.NumberColumn(format="localized", width=80),
    "Trend": _text(width=120, help="Over the last half hour"),
    "Remark": _text(width=300),
}


def rule_table(view: AlertsView) -> None:
    """Every rule, deepest cause first."""
    st.subheader("Rules", anchor=False)
    st.dataframe(
        [_row(item, view) for item in view.rules],
        key="alert-rules",
        hide_index=True,
        column_config=COLUMNS,
        height="content",
        alt="Table of the rules with state, value, limits, samples and trend of each.",
    )
    age = view.stats.tick_age_seconds
    judged = "Not judged yet." if age is None else f"Judged {age:.0f} s ago, in {view.stats.tick_seconds * 1000:.1f} ms."
    st.caption(f"{judged} {_fleet(view.stats.fleet)}")


def notifications(stats: AlertsStats) -> None:
    """Who is told, and how that went; what the store does not have yet."""
    notifier, heartbeat = stats.notifier, stats.heartbeat
    if not notifier.urls:
        st.info("Nobody is told: ALERT_URLS is not set. All is judged and shown here.", icon=":material/notifications_off:")
    else:
        sent = "nothing sent yet" if notifier.sent_seconds_ago is None else f"last sent {_ago(notifier.sent_seconds_ago)}"
        who = f"{notifier.urls} address{'es' if notifier.urls > 1 else ''}"
        st.markdown(f":material/notifications: {who}, {sent}, {notifier.sent:,} sent, {notifier.failed:,} not")
    if notifier.error:
        st.warning(f"The last message did not go out: {plain(notifier.error)}.", icon=":material/cancel_schedule_send:")
    if heartbeat.error:
        st.warning(f"HEARTBEAT_URL does not answer: {plain(heartbeat.error)}.", icon=":material/heart_broken:")
    elif heartbeat.answered_seconds_ago is not None:
        st.caption(f"Heartbeat answered {_ago(heartbeat.answered_seconds_ago)}.")
    if stats.store_error:
        waiting = f"{stats.unwritten} changes wait in memory. " if stats.unwritten else ""
        st.warning(f"The console's store does not answer. {waiting}{plain(stats.store_error)}", icon=":material/cloud_off:")


def _fleet(fleet: FleetStats) -> str:
    """Whose requests the rules are judged by."""
    whose = f"By {fleet.processes} processes" if fleet.processes > 1 else "By this process alone"
    late = f", {fleet.late} more write late or by a wrong clock" if fleet.late else ""
    away = f"; what others measured is not known: {plain(fleet.error.rstrip('.'))}" if fleet.error else ""
    return f"{whose}{late}{away}. CPU, memory, disk and connections are this process's."


def _row(item: RuleStatus, view: AlertsView) -> dict[str, object]:
    rule, condition = item.rule, item.condition
    return {
        "Rule": rule.title,
        "State": [condition.state.replace("_", " ")],
        "Since": span(timedelta(seconds=view.now - condition.since)) if condition.since else "—",
        "Value": said(condition.reading.value, rule.unit),
        "Promised": limit_said(rule, rule.warning),
        "Critical": limit_said(rule, rule.critical),
        "Samples": condition.reading.samples,
        "Trend": item.trend,
        "Remark": _remark(item, view),
    }


def _remark(item: RuleStatus, view: AlertsView) -> str:
    rule, condition = item.rule, item.condition
    parts = [
        "silenced" if rule.name in view.silenced else "",
        f"changed by {item.changed_by}" if item.changed_by else "",
        why_unknown(item) if standing(item) == "unknown" else "",
        condition.reading.worst,
    ]
    return "; ".join(part for part in parts if part)


def _ago(seconds: float) -> str:
    return f"{span(timedelta(seconds=seconds))} ago"
