"""Services: every service of one process.

Owns the order of opening and closing. Opening never fails for a server that is down: that is a state, which Health reports.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from core.cache.redis_tier import RedisTier
from core.cache.tiered import TieredCache
from core.claude.claude import Claude
from core.claude.parts import ClaudeParts
from core.database.pool import Database
from core.embedded import EmbeddedServer
from core.errors import CoreError
from core.health import Health
from core.monitor import Recorder
from core.monitor.alerts.alerts import Alerts
from core.monitor.alerts.workbench import RuleWorkbench
from core.monitor.history.history import MetricHistory
from core.monitor.marks.marks import Marks
from core.monitor.system.system import SystemMonitor
from core.operations import Operations
from core.platform.activity import Activity
from core.platform.alert_operations import AlertOperations
from core.platform.cache_keys import CacheKeys
from core.platform.cache_operations import CacheOperations
from core.platform.cache_overview import CacheOverview
from core.platform.claude_operations import ClaudeOperations
from core.platform.claude_overview import ClaudeOverview
from core.platform.data import DataOperations
from core.platform.database_operations import DatabaseOperations
from core.platform.database_view import DatabaseOverview
from core.platform.descriptions import Descriptions
from core.platform.index_overview import IndexOverview
from core.platform.indexes import IndexOperations
from core.platform.lead_analyses import LeadAnalyses
from core.platform.milestones import Milestones
from core.platform.overview import Overview
from core.platform.platform import Platform
from core.platform.preparing import Preparing
from core.platform.promises import Promises
from core.platform.prompt_lab import PromptLab
from core.platform.remedies import Remedies
from core.platform.subjects import Subjects
from core.platform.traffic import Traffic
from core.platform.warming import Warming
from core.platform.whole_server import WholeServer
from core.settings import Settings
from core.setup import Setup

log = logging.getLogger(__name__)


class Service(Protocol):
    """What is opened and closed."""

    async def open(self) -> None:
        """Start; waits for no server."""
        ...

    async def close(self) -> None:
        """End."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Every service of one process; `async with services:` opens and closes them."""

    settings: Settings
    monitor: Recorder
    system: SystemMonitor
    history: MetricHistory
    embedded: tuple[EmbeddedServer, ...]
    database: Database
    console_store: Database
    redis: RedisTier
    cache: TieredCache
    platform: Platform
    claude: Claude
    claude_parts: ClaudeParts
    claude_overview: ClaudeOverview
    claude_operations: ClaudeOperations
    subjects: Subjects
    lead_analyses: LeadAnalyses
    preparing: Preparing
    descriptions: Descriptions
    prompt_lab: PromptLab
    health: Health
    setup: Setup
    operations: Operations
    activity: Activity
    data: DataOperations
    database_overview: DatabaseOverview
    database_operations: DatabaseOperations
    indexes: IndexOperations
    index_overview: IndexOverview
    traffic: Traffic
    warming: Warming
    cache_overview: CacheOverview
    cache_keys: CacheKeys
    cache_operations: CacheOperations
    milestones: Milestones
    overview: Overview
    alerts: Alerts
    alert_operations: AlertOperations
    remedies: Remedies
    workbench: RuleWorkbench
    promises: Promises
    marks: Marks
    whole_server: WholeServer

    async def open(self) -> None:
        """Start everything; waits for no server."""
        for service in self._in_order():
            await service.open()

    async def close(self) -> None:
        """End everything in the reverse order, then let go of the embedded servers; the last holder stops them."""
        for service in reversed(self._in_order()):
            try:
                await service.close()
            except Exception:
                log.exception("close_failed service=%s", type(service).__name__)
        for server in self.embedded:
            try:
                # In this thread: at the interpreter's end no other can be started, and nothing else is left to run.
                server.release()
            except CoreError as error:
                log.error("release_failed server=%s error=%r", server.name, str(error))

    def _in_order(self) -> tuple[Service, ...]:
        """Those that are opened, in this order, and closed in the reverse."""
        return (
            self.monitor, self.system, self.database, self.database_overview, self.console_store, self.history, self.redis,
            self.cache, self.claude_parts, self.health, self.setup, self.milestones, self.data.uploads, self.operations,
            self.indexes, self.warming, self.alerts, self.remedies, self.marks, self.whole_server,
        )  # fmt: skip

    async def __aenter__(self) -> Services:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
