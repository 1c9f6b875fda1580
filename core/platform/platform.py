"""Platform: what the lead platform does, one object for each noun."""

from __future__ import annotations

from core.cache.families import Family
from core.database.pool import Database
from core.platform.answers import Answers
from core.platform.changes import PlatformChanges
from core.platform.events import Events
from core.platform.families import read_families
from core.platform.leads import Leads
from core.platform.markets import Markets
from core.platform.properties import Properties
from core.platform.scoring_models import ScoringModels
from core.settings import Settings


class Platform:
    """Holds the nouns that routes and pages ask."""

    def __init__(self, settings: Settings, database: Database, changes: PlatformChanges) -> None:
        self.markets = Markets(database)
        self.leads = Leads(database)
        self.properties = Properties(database)
        self.scoring_models = ScoringModels(database)
        self.answers = Answers(database)
        self.events = Events(settings, database, changes)

    def families(self) -> tuple[Family, ...]:
        """The reads that are cached."""
        return read_families(self.markets, self.leads, self.properties, self.scoring_models, self.answers)
