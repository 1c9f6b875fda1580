"""Asking: the services that ask Claude, and what they ask it about."""

from __future__ import annotations

from dataclasses import dataclass

from core.cache.tiered import TieredCache
from core.claude.parts import ClaudeParts
from core.operations import Operations
from core.platform.claude_operations import ClaudeOperations
from core.platform.claude_overview import ClaudeOverview
from core.platform.descriptions import Descriptions
from core.platform.lead_analyses import LeadAnalyses
from core.platform.platform import Platform
from core.platform.preparing import Preparing
from core.platform.prompt_lab import PromptLab
from core.platform.rehearsal_author import rehearsal_author
from core.platform.shipped_prompts import shipped_prompts
from core.platform.subjects import Subjects
from core.services.ground import Ground
from core.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One of each."""

    parts: ClaudeParts
    subjects: Subjects
    analyses: LeadAnalyses
    preparing: Preparing
    descriptions: Descriptions
    prompt_lab: PromptLab
    overview: ClaudeOverview
    operations: ClaudeOperations


def make_asking(settings: Settings, ground: Ground, cache: TieredCache, platform: Platform, operations: Operations) -> Asking:
    """Claude over the cache and the stores, or its rehearsal."""
    database = ground.database_parts.database
    parts = ClaudeParts(
        settings,
        store=ground.console_store,
        database=database,
        cache=cache,
        record=ground.monitor,
        author=rehearsal_author,
        shipped=shipped_prompts(),
    )
    subjects = Subjects(cache, platform.markets, platform.scoring_models)
    analyses = LeadAnalyses(settings, parts)
    descriptions = Descriptions(settings, database, parts)
    return Asking(
        parts=parts,
        subjects=subjects,
        analyses=analyses,
        preparing=Preparing(database, operations, parts.claude, analyses),
        descriptions=descriptions,
        prompt_lab=PromptLab(settings, database, operations, parts, subjects, descriptions),
        overview=ClaudeOverview(settings, ground.monitor, parts, ground.health),
        operations=ClaudeOperations(parts, operations),
    )
