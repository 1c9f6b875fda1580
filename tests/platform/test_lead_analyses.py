"""Lead analyses: Claude's beside the rules', kept for leads that are alike, and the rules alone when Claude is not there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.claude.rehearsal import Faults
from core.platform.canonical import CanonicalLead
from core.platform.lead_analyses import LeadAnalyses
from core.platform.lead_facts import LeadFacts
from core.platform.preparing import Wanted
from core.services import Services
from tests.support import wait_until_async

FACTS = LeadFacts(
    market="austin", budget_most=450_000, property_type="condo", stage="hot", interactions=5, days_since_activity=2
)


@pytest.fixture
async def ready(platform_rows: None, services: Services) -> Services:
    """Services on a database with rows, the rehearsal without waits."""
    services.claude_parts.dials.change(first_token_seconds=0.0, tokens_per_second=float("inf"))
    await wait_until_async(services.claude_parts.prompts.seeded.is_set)
    return services


async def test_stored_lead_has_both_judgements(ready: Services) -> None:
    """A stored lead: its facts, its market's figures, the rules with their parts, and an analysis that was rehearsed."""
    lead_id = await ready.database.fetch_value("SELECT id FROM leads ORDER BY score DESC, id LIMIT 1")
    subject = await ready.subjects.stored(str(lead_id))
    assert subject is not None
    assert subject.lead_id == str(lead_id)
    assert subject.market is not None
    found = await ready.lead_analyses.analyse(subject, operator="anna")
    assert (found.source, found.rehearsal, found.failure) == ("rehearsal", True, None)
    assert found.answer is not None
    assert found.answer.cache_outcome == "miss"
    assert found.rules.parts
    again = await ready.lead_analyses.analyse(subject, operator="ben")
    assert again.answer is not None
    assert (again.answer.cache_outcome, again.answer.cost_usd) == ("hit", 0.0)
    assert again.analysis == found.analysis
    fresh = await ready.lead_analyses.analyse(subject, operator="ben", fresh=True)
    assert fresh.answer is not None
    assert fresh.answer.attempts
    assert await ready.subjects.stored("0") is None
    assert await ready.subjects.stored("no id") is None


async def test_rules_stand_alone_when_claude_fails(ready: Services) -> None:
    """A refusal, an overload and an empty budget leave the rules' analysis, and say why and what to do."""
    subject = await ready.subjects.described(FACTS)
    for fault, kind in (("refuse", "refused"), ("truncate", "truncated")):
        ready.claude_parts.dials.change(faults=Faults(**{fault: 1.0}))
        found = await ready.lead_analyses.analyse(subject, operator="anna")
        assert (found.source, found.answer) == ("rules", None)
        assert found.analysis == found.rules.analysis()
        assert found.failure is not None
        assert found.failure.kind == kind
        assert found.failure.next_step


async def test_market_that_is_not_known_is_ignored_and_said(ready: Services) -> None:
    """A described lead of an unknown market is judged without one."""
    subject = await ready.subjects.described(replace(FACTS, market="atlantis"))
    assert subject.market is None
    assert "atlantis" in " ".join(subject.facts.ignored)


async def test_preparing_asks_each_form_once_and_in_the_background(ready: Services) -> None:
    """All open leads of a market are prepared with one call for each canonical form, and their own analyses are hits then."""
    wanted = Wanted(market="austin", limit=200)
    plan = await ready.preparing.plan(wanted)
    assert 1 < len(plan.forms) < plan.leads <= 200
    rows = await ready.database.fetch_all(
        "SELECT id FROM leads WHERE market_id = 'austin' AND status = ANY ($1) ORDER BY score DESC, id LIMIT 200",
        ["active", "hot", "nurturing"],
    )
    forms = [CanonicalLead.of(subject.facts) for subject in await _subjects(ready, [str(row["id"]) for row in rows])]
    assert {form: forms.count(form) for form in forms} == dict(plan.forms)
    started = await ready.preparing.start(wanted, operator="anna")
    over = await ready.operations.wait(started.operation.id)
    assert (over.state, over.done, over.total) == ("done", plan.leads, plan.leads)
    assert over.result is not None
    assert (over.result["forms"], over.result["asked"], over.result["failed"]) == (len(plan.forms), len(plan.forms), 0)
    (subject,) = await _subjects(ready, [str(rows[0]["id"])])
    found = await ready.lead_analyses.analyse(subject, operator="ben")
    assert found.answer is not None
    assert found.answer.cache_outcome == "hit"
    again = await ready.operations.wait((await ready.preparing.start(wanted, operator="anna")).operation.id)
    assert again.result is not None
    assert (again.result["asked"], again.result["kept"]) == (0, len(plan.forms))


async def test_descriptions_are_kept_by_their_exact_content(ready: Services) -> None:
    """One listing is described once; another price is another description."""
    listing_id = await ready.database.fetch_value("SELECT id FROM properties ORDER BY id LIMIT 1")
    listing = await ready.descriptions.listing(str(listing_id))
    assert listing is not None
    first = await ready.descriptions.describe(listing, operator="anna")
    assert first.answer.text
    assert (await ready.descriptions.describe(listing, operator="ben")).answer.cache_outcome == "hit"
    dearer = await ready.descriptions.describe({**listing, "price": 1.0}, operator="anna")
    assert dearer.answer.cache_outcome == "miss"
    assert await ready.descriptions.listing("0") is None


async def test_answers_that_were_made_are_written_to_the_platform(ready: Services) -> None:
    """Each answer that was made is a row of ai_responses, found by the hash of its prompt; a hit is none."""
    analyses: LeadAnalyses = ready.lead_analyses
    subject = await ready.subjects.described(FACTS)
    found = await analyses.analyse(subject, operator="anna")
    await analyses.analyse(subject, operator="anna")
    assert found.answer is not None
    prompt_hash = found.answer.prompt_hash

    async def kept() -> int:
        return len(await ready.platform.answers.recent(prompt_hash))

    async with asyncio.timeout(10):
        while await kept() == 0:  # Written behind, within a second.
            pass
    assert await kept() == 1


async def _subjects(services: Services, lead_ids: list[str]) -> list:
    found = [await services.subjects.stored(lead_id) for lead_id in lead_ids]
    return [subject for subject in found if subject is not None]


async def test_a_prompt_that_cannot_be_used_leaves_the_rules(ready: Services) -> None:
    """A version with a variable that no lead has is said to be at fault; a kept answer outlives a failed new one."""
    subject = await ready.subjects.described(FACTS)
    kept = await ready.lead_analyses.analyse(subject, operator="anna")
    ready.claude_parts.dials.change(faults=Faults(refuse=1.0))
    assert (await ready.lead_analyses.analyse(subject, operator="anna", fresh=True)).source == "rules"
    again = await ready.lead_analyses.analyse(subject, operator="anna")
    assert (again.source, again.analysis) == (kept.source, kept.analysis)
    prompts = ready.claude_parts.prompts
    edited = kept.prompt.edited(template="Judge $shoe_size.")
    saved = await prompts.save(edited, based_on=kept.prompt.version, author="anna")
    await prompts.use("lead_analysis", saved.version.version, "anna")
    found = await ready.lead_analyses.analyse(subject, operator="anna")
    assert found.source == "rules"
    assert found.failure is not None
    assert found.failure.kind == "prompt"
    assert "shoe_size" in found.failure.message
