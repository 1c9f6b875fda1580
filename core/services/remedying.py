"""Remedying: the remedies, each with what really does it."""

from __future__ import annotations

from core.claude.parts import ClaudeParts
from core.monitor.alerts.alerts import Alerts
from core.monitor.clock import SteadyClock
from core.monitor.remediation.book import RemedyBook
from core.monitor.remediation.records import RemedyRecords
from core.monitor.remediation.remedies import load_remedies
from core.monitor.system.machine import Machine
from core.operations import Operations
from core.platform.claude_remedy import ClaudeRemedy
from core.platform.memory_remedy import MemoryRemedy
from core.platform.remedies import Remedies, RemedyParts
from core.platform.remedy_actions import RemedyAction
from core.platform.remedy_past import RemedyPast
from core.platform.session_remedy import SessionRemedy
from core.platform.warm_remedy import WarmRemedy
from core.platform.warming import Warming
from core.services.alerting import has_tables
from core.services.ground import Ground
from core.settings import Settings
from core.setup import Setup


def make_remedies(
    settings: Settings,
    ground: Ground,
    setup: Setup,
    operations: Operations,
    warming: Warming,
    claude: ClaudeParts,
    alerts: Alerts,
    *,
    runs: bool,
) -> Remedies:
    """`runs` is False for a process that only serves the API."""
    clock, monitor = SteadyClock(), ground.monitor
    remedies = load_remedies([rule.name for rule in alerts.book.rules])
    book = RemedyBook(remedies, embedded=settings.database_embedded)
    lasts_seconds = book.remedies["spare_claude"].lasts_most_seconds
    actions: dict[str, RemedyAction] = {
        "warm_best_plan": WarmRemedy(monitor, warming, operations),
        "spare_claude": ClaudeRemedy(alerts, claude.scheduler, lasts_seconds),
        "shrink_memory": MemoryRemedy(ground.cache_parts.memory, monitor, Machine(settings.data_dir).rss_bytes),
        "end_idle_transactions": SessionRemedy(settings, ground.database_parts, ground.queries),
    }
    past = RemedyPast(book, RemedyRecords(ground.console_store), operations, clock, has_tables(setup))
    parts = RemedyParts(book=book, actions=actions, alerts=alerts, operations=operations, past=past, clock=clock)
    return Remedies(parts, runs=runs)
