"""Platform: what the lead platform does, one object for each noun."""

from __future__ import annotations

from core.database.pool import Database
from core.platform.events import Events
from core.platform.leads import Leads
from core.platform.markets import Markets
from core.platform.properties import Properties
from core.settings import Settings


class Platform:
    """Holds the nouns that routes and pages ask."""

    def __init__(self, settings: Settings, database: Database, console_store: Database) -> None:
        self.markets = Markets(database)
        self.leads = Leads(database)
        self.properties = Properties(database)
        self.events = Events(settings, database, console_store)
