"""The platform's routes: markets, leads, properties, events and marks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from core.api import models
from core.api.answers import json_answer
from core.api.parsing import parse_body, parse_query, reasons
from core.api.problem import Invalid, problem
from core.api.reach import GetReach
from core.api.spec import RouteSpec
from core.platform.properties import PropertySearch

CALLER = "api"


class PlatformRoutes:
    """The handlers of the platform's routes."""

    def __init__(self, get_reach: GetReach) -> None:
        self._get_reach = get_reach

    async def market_list(self, request: Request) -> Response:
        """Every market with its latest figures."""
        reach = self._get_reach()
        items = await reach.gate.call(reach.services.platform.markets.list())
        return json_answer(request, {"items": items})

    async def market(self, request: Request) -> Response:
        """One market with its series."""
        reach, slug = self._get_reach(), request.path_params["slug"]
        found = await reach.gate.call(reach.services.platform.markets.get(_storable(slug))) if _storable(slug) else None
        if found is None:
            return problem(404, "There is no market with this slug.", "GET /api/markets lists them.")
        series = {kind: [{"date": day, "value": value} for day, value in points] for kind, points in found.series.items()}
        return json_answer(request, {**dict(found.market), "series": series})

    async def lead_list(self, request: Request) -> Response:
        """The best leads by score."""
        reach, query = self._get_reach(), parse_query(request, models.LeadQuery)
        work = reach.services.platform.leads.list(
            market=query.market, status=query.status, min_score=query.min_score, limit=query.limit
        )
        return json_answer(request, {"items": await reach.gate.call(work)})

    async def lead(self, request: Request) -> Response:
        """One lead with its interactions."""
        reach, lead_id = self._get_reach(), _storable(request.path_params["id"])
        found = await reach.gate.call(reach.services.platform.leads.get(lead_id)) if lead_id else None
        if found is None:
            return problem(404, "There is no lead with this id.", "GET /api/leads lists the best ones.")
        return json_answer(request, {**dict(found.lead), "interactions": found.interactions})

    async def property_search(self, request: Request) -> Response:
        """Listings that fit."""
        reach, query = self._get_reach(), parse_query(request, models.PropertyQuery)
        wanted = PropertySearch(**query.model_dump(exclude={"limit"}))
        items = await reach.gate.call(reach.services.platform.properties.search(wanted, query.limit))
        return json_answer(request, {"items": items})

    async def events(self, request: Request) -> Response:
        """Store a batch of events."""
        reach, batch = self._get_reach(), await parse_body(request, models.EventBatch)
        interactions, analytics, rejected = _sorted_out(batch.events)
        stored = await reach.gate.call(reach.services.platform.events.store(interactions, analytics))
        refused = {item.index: item.reason for item in stored.rejected} | rejected
        listed = [{"index": index, "reason": reason} for index, reason in sorted(refused.items())]
        return json_answer(request, {"accepted": stored.accepted, "rejected": listed}, 202)

    async def marks(self, request: Request) -> Response:
        """Put a mark on the timeline."""
        reach, body = self._get_reach(), await parse_body(request, models.MarkBody)
        mark = await reach.gate.call(reach.services.platform.events.mark(body.kind, body.text, CALLER, body.at))
        return json_answer(request, mark, 201)


def platform_specs(get_reach: GetReach) -> list[RouteSpec]:
    """Every route of the platform."""
    routes = PlatformRoutes(get_reach)
    market_schema, lead_schema = models.list_of(models.Market), models.list_of(models.LeadAnswer)
    property_schema, detail_schema = models.list_of(models.PropertyAnswer), models.ref(models.MarketDetailAnswer)
    return [
        RouteSpec("/api/markets", routes.market_list, "Markets with their latest figures", market_schema),
        RouteSpec("/api/markets/{slug}", routes.market, "One market's series", detail_schema, not_found=True),
        RouteSpec("/api/properties", routes.property_search, "Property search", property_schema, query=models.PropertyQuery),
        RouteSpec("/api/leads", routes.lead_list, "The best leads by score", lead_schema, query=models.LeadQuery),
        RouteSpec("/api/leads/{id}", routes.lead, "One lead", models.ref(models.LeadDetailAnswer), not_found=True),
        RouteSpec(
            "/api/events", routes.events, "Store events in a batch", models.ref(models.EventsAnswer),
            method="POST", status=202, body=models.EventBatch, forbidden=True,
        ),
        RouteSpec(
            "/api/marks", routes.marks, "A mark on the timeline", models.ref(models.MarkAnswer),
            method="POST", status=201, body=models.MarkBody,
        ),
    ]  # fmt: skip


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


def _storable(text: str) -> str:
    """The text, or nothing when PostgreSQL could hold no such text."""
    try:
        return text if "\x00" not in text and text.encode() else ""
    except UnicodeEncodeError:
        raise Invalid("The path is not valid UTF-8.") from None
