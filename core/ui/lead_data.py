"""What the leads page reads: the list, one lead and the markets, from the cache or through it, each with its age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from core.platform.bodies import json_body
from core.platform.leads import ID_MOST_CHARACTERS, LeadSearch
from core.platform.markets import MARKET_LIST_KEY
from core.platform.panel import Panel, within
from core.platform.subjects import Subject
from core.services import Services

WAIT_SECONDS = 5.0
OLD = "The database did not answer, so an old answer is shown."
OLD_STEP = "The Database page says how it stands."


async def read_list(services: Services, search: LeadSearch) -> Panel[Sequence[Mapping[str, Any]]]:
    """The best open leads that fit, from the cache or through it."""
    panel = await within(services.cache.fetch_read(search.key), WAIT_SECONDS)
    if panel.value is None:
        return Panel(error=panel.error, next_step=panel.next_step)
    old = panel.value.outcome == "stale"
    rows = orjson.loads(panel.value.value)["items"]
    return Panel(rows, panel.value.age_seconds, OLD if old else "", OLD_STEP if old else "")


async def find_leads(services: Services, text: str) -> Panel[Sequence[Mapping[str, Any]]]:
    """Leads with this text in their name or mail address, read now."""
    panel = await within(services.platform.leads.find(text), WAIT_SECONDS)
    if panel.value is None:
        return Panel(error=panel.error, next_step=panel.next_step)
    return Panel(orjson.loads(json_body(panel.value)))


async def read_lead(services: Services, lead_id: str) -> Panel[Subject]:
    """One lead with its interactions and its market; without value and error where there is none."""
    if len(lead_id) > ID_MOST_CHARACTERS or not lead_id.isprintable():
        return Panel()
    panel = await within(services.subjects.stored(lead_id), WAIT_SECONDS)
    if panel.value is None:
        return Panel(error=panel.error, next_step=panel.next_step)
    old = panel.value.stale
    return Panel(panel.value, panel.value.age_seconds, OLD if old else "", OLD_STEP if old else "")


async def read_markets(services: Services) -> Mapping[str, str]:
    """Names of the markets by their ids; empty while they cannot be read."""
    panel = await within(services.cache.fetch(MARKET_LIST_KEY), WAIT_SECONDS)
    if not panel.value:
        return {}
    return {str(market["id"]): str(market["name"]) for market in orjson.loads(panel.value)["items"]}
