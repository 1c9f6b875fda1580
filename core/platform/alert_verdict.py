"""AlertVerdict: the alerts page's first line, judged from what is open and from whether the judging itself goes on."""

from __future__ import annotations

from core.monitor.alerts.judge import CRITICAL
from core.monitor.alerts.view import AlertsView
from core.platform.verdict import Verdict

STALE_SECONDS = 30.0
TRAFFIC = "Make traffic on the Overview, or call the API."


def judge_alerts(view: AlertsView) -> Verdict:
    """The worst finding decides: nobody judges, something is broken, nothing can be seen, then fine."""
    age = view.stats.tick_age_seconds
    if age is None or age > STALE_SECONDS:
        reason = "no rule was judged yet" if age is None else f"no rule was judged for {age:.0f} s"
        return Verdict("cannot_tell", None, reason, "Read the log; restart the console if it lasts.")
    if view.open:
        worst = view.open[0]
        more = f", and {len(view.open) - 1} more" if len(view.open) > 1 else ""
        how = "" if worst.level == CRITICAL else "warning: "
        began = min(breach.since for breach in worst.breaches)
        return Verdict("not_fine", view.moment(began), f"{how}{worst.title}{more}", view.advice(worst))
    requests = [item for item in view.rules if item.rule.requests]
    if all(item.condition.state in ("no_data", "warming_up", "stale") for item in requests):
        warming = any(item.condition.state == "warming_up" for item in requests)
        reason = "the console has just started" if warming else "no traffic to judge by"
        return Verdict("cannot_tell", None, f"nothing is broken, but {reason}", "" if warming else TRAFFIC)
    last = view.resolved[0].resolved_at if view.resolved else None
    since = max((item.condition.since for item in requests), default=view.now) if last is None else last
    kept = sum(item.condition.state == "ok" for item in view.rules)
    return Verdict("fine", view.moment(since), f"{kept} of {len(view.rules)} rules are kept, the others cannot be judged")
