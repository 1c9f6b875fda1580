"""The platform's routes: markets, leads, properties, events and marks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from core.api import models
from core.api.answers import json_answer
from core.api.cached_answers import CachedAnswers
from core.api.parsing import parse_body, reasons, storable
from core.api.problem import problem
from core.api.reach import GetReach
from core.api.search_keys import SearchKeys
from core.api.spec import RouteSpec
from core.monitor.marks.marks import Added
from core.platform.leads import ID_MOST_CHARACTERS, LeadSearch, lead_key
from core.platform.markets import MARKET_LIST_KEY, market_key
from core.platform.properties import PropertySearch
from core.platform.search import SLUG_MOST_CHARACTERS

CALLER = "api"
MARK_MOST_BYTES = 16_384
MARK_STATUS = {"new": 201, "known": 200, "waiting": 202}
MARK_ALSO = {
    200: "The same mark was made within a minute; it is that one.",
    202: "The console's store is away: the mark is shown by this process, and stored when the store is back.",
}
NO_MARKET = ("There is no market with this slug.", "GET /api/markets lists them.")
NO_LEAD = ("There is no lead with this id.", "GET /api/leads lists the best ones.")
NO_LISTING = ("There is no such search.", "GET /api/openapi.json lists its parameters.")


class PlatformRoutes:
    """The handlers of the platform's routes."""

    def __init__(self, get_reach: GetReach) -> None:
        self._get_reach = get_reach
        self._cached = CachedAnswers(get_reach)
        self._lead_keys = SearchKeys(models.LeadQuery, LeadSearch)
        self._property_keys = SearchKeys(models.PropertyQuery, PropertySearch)

    async def market_list(self, request: Request) -> Response:
        """Every market with its latest figures."""
        return await self._cached.answer(request, MARKET_LIST_KEY, *NO_MARKET)

    async def market(self, request: Request) -> Response:
        """One market with its series."""
        slug = storable(request.path_params["slug"], SLUG_MOST_CHARACTERS)
        return await self._cached.answer(request, market_key(slug), *NO_MARKET) if slug else problem(404, *NO_MARKET)

    async def lead_list(self, request: Request) -> Response:
        """The best leads by score."""
        return await self._cached.answer(request, self._lead_keys.of(request), *NO_LEAD)

    async def lead(self, request: Request) -> Response:
        """One lead with its interactions."""
        lead_id = storable(request.path_params["id"], ID_MOST_CHARACTERS)
        return await self._cached.answer(request, lead_key(lead_id), *NO_LEAD) if lead_id else problem(404, *NO_LEAD)

    async def property_search(self, request: Request) -> Response:
        """Listings that fit."""
        return await self._cached.answer(request, self._property_keys.of(request), *NO_LISTING)

    async def events(self, request: Request) -> Response:
        """Store a batch of events."""
        reach, batch = self._get_reach(), await parse_body(request, models.EventBatch)
        interactions, analytics, rejected = _sorted_out(batch.events)
        stored = await reach.gate.call(reach.services.platform.events.store(interactions, analytics))
        refused = {item.index: item.reason for item in stored.rejected} | rejected
        listed = [{"index": index, "reason": reason} for index, reason in sorted(refused.items())]
        return json_answer(request, {"accepted": stored.accepted, "rejected": listed}, 202)

    async def marks(self, request: Request) -> Response:
        """Put a mark on the timeline: 201 for a new one, 200 for one that is there, 202 where it waits for the store."""
        reach, body = self._get_reach(), await parse_body(request, models.MarkBody, most_bytes=MARK_MOST_BYTES)
        marks, who = reach.services.marks, body.who or CALLER
        added = await reach.gate.call(marks.add(body.kind, body.text, who=who, at=body.at, link=body.link or ""))
        return json_answer(request, _mark_answer(added), MARK_STATUS[added.stored])


def platform_specs(get_reach: GetReach) -> list[RouteSpec]:
    """Every route of the platform."""
    routes = PlatformRoutes(get_reach)
    market_schema, lead_schema = models.list_of(models.Market), models.list_of(models.LeadAnswer)
    property_schema = models.list_of(models.PropertyAnswer)
    return [
        RouteSpec("/api/markets", routes.market_list, "Markets with their latest figures", market_schema, cached=True),
        RouteSpec(
            "/api/markets/{slug}", routes.market, "One market's series", models.ref(models.MarketDetailAnswer),
            not_found=True, cached=True,
        ),
        RouteSpec(
            "/api/properties", routes.property_search, "Property search", property_schema,
            query=models.PropertyQuery, cached=True,
        ),
        RouteSpec("/api/leads", routes.lead_list, "The best leads by score", lead_schema, query=models.LeadQuery, cached=True),
        RouteSpec("/api/leads/{id}", routes.lead, "One lead", models.ref(models.LeadDetailAnswer), not_found=True, cached=True),
        RouteSpec(
            "/api/events", routes.events, "Store events in a batch", models.ref(models.EventsAnswer),
            method="POST", status=202, body=models.EventBatch, forbidden=True,
        ),
        RouteSpec(
            "/api/marks", routes.marks, "A mark on the timeline", models.ref(models.MarkAnswer),
            method="POST", status=201, body=models.MarkBody, also=MARK_ALSO,
        ),
    ]  # fmt: skip


def _mark_answer(added: Added) -> dict[str, Any]:
    mark = added.mark
    number = None if added.stored == "waiting" else int(mark.key.rpartition(":")[2])
    at = datetime.fromtimestamp(mark.at, UTC)
    words = {"kind": mark.kind, "text": mark.text, "marked_by": mark.who, "link": mark.link}
    return {"id": number, **words, "marked_at": at, "stored": added.stored}


Sorted = tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]], dict[int, str]]


def _sorted_out(events: list[dict[str, Any]]) -> Sorted:
    """The valid interactions and analytics events by position, and the rest with the reason."""
    interactions: dict[int, dict[str, Any]] = {}
    analytics: dict[int, dict[str, Any]] = {}
    rejected: dict[int, str] = {}
    for index, event in enumerate(events):
        is_interaction = "lead_id" in event
        model: type[BaseModel] = models.Interaction if is_interaction else models.AnalyticsEvent
        try:
            valid = model.model_validate(event)
        except ValidationError as error:
            first = reasons(error)[0]
            rejected[index] = f"{first['field']}: {first['reason']}"
            continue
        (interactions if is_interaction else analytics)[index] = valid.model_dump(mode="json")
    return interactions, analytics, rejected
