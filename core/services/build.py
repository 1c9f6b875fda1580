"""build_services: the parts list of one process, the only place that constructs; does no I/O and raises only SettingsError."""

from __future__ import annotations

from core.cache.redis_tier.command_lines import CommandLines
from core.cache.tiered import TieredCache
from core.database.indexes.catalog import Indexes
from core.database.indexes.shipped import IndexSet
from core.monitor.system.system import SystemMonitor
from core.operations import Operations
from core.platform.activity import Activity
from core.platform.cache_keys import CacheKeys
from core.platform.cache_operations import CacheOperations
from core.platform.cache_overview import CacheOverview
from core.platform.changes import PlatformChanges
from core.platform.data import DataOperations
from core.platform.database_operations import DatabaseOperations
from core.platform.database_view import DatabaseOverview
from core.platform.index_overview import IndexOverview
from core.platform.indexes import IndexOperations
from core.platform.milestones import Milestones
from core.platform.overview import Overview
from core.platform.platform import Platform
from core.platform.traffic import Traffic
from core.platform.uploads import Uploads
from core.platform.warming import Warming
from core.services.alerting import make_alerting, make_history
from core.services.asking import make_asking
from core.services.ground import make_ground
from core.services.remedying import make_remedies
from core.services.services import Services
from core.services.watching import make_marks, make_promises, make_whole_server
from core.settings import Settings
from core.setup import Setup


def build_services(settings: Settings, *, console: bool = True) -> Services:
    """Every service, not yet open; `console` is False for a process that only serves the API."""
    ground = make_ground(settings)
    monitor, queries, database, store = ground.monitor, ground.queries, ground.database_parts.database, ground.console_store
    health, cache_parts, cache = ground.health, ground.cache_parts, TieredCache(ground.cache_parts)
    changes = PlatformChanges(cache)
    setup = Setup(settings, ground.stores, health, records_start=console, changed=changes.everything)
    platform = Platform(settings, database, changes)
    milestones = Milestones(store, setup)
    operations = Operations(store, queries)
    asking = make_asking(settings, ground, cache, platform, operations)
    for family in (*platform.families(), asking.subjects.family()):
        cache.families.add(family)
    activity = Activity(operations)
    indexes = IndexOperations(
        settings,
        database,
        ground.database_parts.looking,
        operations,
        setup,
        Indexes(queries, IndexSet()),
        queries,
        follows=console,
    )
    warming = Warming(settings, cache, database, operations, setup, schedules=console)
    cache_overview = CacheOverview(settings, monitor, cache_parts, cache, health, warming)
    lines = CommandLines(ground.redis_url, ground.redis.keys)
    missed = warming.missed
    overview = Overview(settings, database, store, ground.redis, health, setup, milestones, missed, asking.overview.words)
    history, whole_server = make_history(settings, ground, console=console), make_whole_server(ground, looks=console)
    alerting = make_alerting(settings, ground, setup, operations, warming, overview, history, judges=console)
    return Services(
        settings=settings,
        monitor=monitor,
        system=SystemMonitor(monitor, settings.data_dir),
        history=history,
        embedded=ground.embedded,
        database=database,
        console_store=store,
        redis=ground.redis,
        cache=cache,
        platform=platform,
        claude=asking.parts.claude,
        claude_parts=asking.parts,
        claude_overview=asking.overview,
        claude_operations=asking.operations,
        subjects=asking.subjects,
        lead_analyses=asking.analyses,
        preparing=asking.preparing,
        descriptions=asking.descriptions,
        prompt_lab=asking.prompt_lab,
        health=health,
        setup=setup,
        operations=operations,
        activity=activity,
        data=DataOperations(settings, database, operations, setup, health, Uploads(settings.data_dir), changes),
        database_overview=DatabaseOverview(settings, monitor, ground.database_parts, queries, health),
        database_operations=DatabaseOperations(settings, monitor, ground.database_parts, queries, operations),
        indexes=indexes,
        index_overview=IndexOverview(ground.database_parts.looking, indexes, operations, activity),
        traffic=Traffic(settings, operations),
        warming=warming,
        cache_overview=cache_overview,
        cache_keys=CacheKeys(cache_parts, cache.families, lines, writes=cache_overview.writes),
        cache_operations=CacheOperations(settings, cache_parts, cache, operations, lines),
        milestones=milestones,
        overview=overview,
        alerts=alerting.alerts,
        alert_operations=alerting.operations,
        remedies=make_remedies(settings, ground, setup, operations, warming, asking.parts, alerting.alerts, runs=console),
        workbench=alerting.workbench,
        promises=make_promises(ground, alerting.alerts, overview, whole_server),
        marks=make_marks(ground, setup, alerting.alerts, drops=console),
        whole_server=whole_server,
    )
