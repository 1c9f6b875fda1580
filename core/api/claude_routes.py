"""The routes that ask Claude: analyses of leads, stored or described, and descriptions of listings.

Owns that a client that hangs up ends its call. An analysis is always answered: where Claude fails, the rules stand alone.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from core.api import claude_models, models
from core.api.answers import json_answer
from core.api.claude_answers import answer_headers
from core.api.connected import while_connected
from core.api.parsing import parse_body, storable
from core.api.problem import problem
from core.api.reach import GetReach
from core.api.spec import RouteSpec
from core.errors import UsageError
from core.platform.claude_bodies import analysis_body, description_body
from core.platform.described_lead import TEXT_MOST_CHARACTERS, described
from core.platform.descriptions import Described
from core.platform.lead_analyses import AnalysedLead
from core.platform.leads import ID_MOST_CHARACTERS
from core.platform.subjects import Subject
from core.services import Services

CALLER = "api"
PROMPT_AT_FAULT = "prompt"  # As an analysis calls it.
ASK_MOST_BYTES = 100_000
NO_LEAD = ("There is no lead with this id.", "GET /api/leads lists the best ones.")
NO_PROPERTY = ("There is no listing with this id.", "GET /api/properties lists those on offer.")


class ClaudeRoutes:
    """Their handlers."""

    def __init__(self, get_reach: GetReach) -> None:
        self._get_reach = get_reach

    async def stored_lead(self, request: Request) -> Response:
        """Analyse a lead of the platform."""
        reach, body = self._get_reach(), await _asked(request)
        lead_id = storable(request.path_params["id"], ID_MOST_CHARACTERS)
        work = _analyse_stored(reach.services, lead_id, fresh=body.fresh)
        found = await while_connected(request, reach.gate.call(work))
        return problem(404, *NO_LEAD) if found is None else _analysed(request, found)

    async def described_lead(self, request: Request) -> Response:
        """Analyse a lead that the body describes."""
        body = await parse_body(request, claude_models.DescribedLeadBody, most_bytes=TEXT_MOST_CHARACTERS)
        try:
            facts = described(body.root)
        except UsageError as error:
            return problem(422, str(error), error.next_step)
        services = self._get_reach().services

        async def work() -> AnalysedLead:
            return await services.lead_analyses.analyse(await services.subjects.described(facts), operator=CALLER)

        return _analysed(request, await while_connected(request, self._get_reach().gate.call(work())))

    async def description(self, request: Request) -> Response:
        """Describe a listing; raises the ClaudeError that names why there is no text."""
        reach, body = self._get_reach(), await _asked(request)
        property_id = storable(request.path_params["id"], ID_MOST_CHARACTERS)
        work = _describe(reach.services, property_id, fresh=body.fresh)
        try:
            found = await while_connected(request, reach.gate.call(work))
        except UsageError as error:
            return problem(502, str(error), error.next_step, kind=PROMPT_AT_FAULT)
        if found is None:
            return problem(404, *NO_PROPERTY)
        return json_answer(request, description_body(found), headers=answer_headers(found.answer))


def claude_specs(get_reach: GetReach) -> list[RouteSpec]:
    """Every route that asks Claude."""
    routes = ClaudeRoutes(get_reach)
    analysis = models.ref(claude_models.AnalysisAnswer)
    return [
        RouteSpec(
            "/api/leads/{id}/analysis", routes.stored_lead, "Analysis of a lead", analysis, method="POST",
            body=claude_models.AskBody, body_required=False, not_found=True, asks_claude=True,
        ),
        RouteSpec(
            "/api/analysis", routes.described_lead, "Analysis of a lead that the body describes", analysis, method="POST",
            body=claude_models.DescribedLeadBody, unreadable=True, asks_claude=True,
        ),
        RouteSpec(
            "/api/properties/{id}/description", routes.description, "Description of a listing",
            models.ref(claude_models.DescriptionAnswer), method="POST", body=claude_models.AskBody, body_required=False,
            not_found=True, asks_claude=True, refusable=True,
        ),
    ]  # fmt: skip


async def _asked(request: Request) -> claude_models.AskBody:
    return await parse_body(request, claude_models.AskBody, most_bytes=ASK_MOST_BYTES, required=False)


async def _analyse_stored(services: Services, lead_id: str, *, fresh: bool) -> AnalysedLead | None:
    subject: Subject | None = await services.subjects.stored(lead_id) if lead_id else None
    if subject is None:
        return None
    return await services.lead_analyses.analyse(subject, operator=CALLER, fresh=fresh)


async def _describe(services: Services, property_id: str, *, fresh: bool) -> Described | None:
    listing = await services.descriptions.listing(property_id) if property_id else None
    if listing is None:
        return None
    return await services.descriptions.describe(listing, operator=CALLER, fresh=fresh)


def _analysed(request: Request, found: AnalysedLead) -> Response:
    return json_answer(request, analysis_body(found), headers=answer_headers(found.answer))
