"""The Claude page's view and what an operator does there: figures, costs and models over a real store, each action recorded."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.claude.rehearsal import Faults
from core.errors import UsageError
from core.platform.claude_overview import LONG_DAYS, ClaudeView
from core.platform.lead_facts import LeadFacts
from core.services import Services, build_services
from core.settings import Settings
from tests.support import wait_until_async

FACTS = LeadFacts(budget_most=450_000, property_type="condo", stage="hot", interactions=5, days_since_activity=2)


@pytest.fixture
async def ready(services: Services) -> Services:
    """Services whose rehearsal answers at once."""
    services.claude_parts.dials.change(first_token_seconds=0.0, tokens_per_second=float("inf"))
    await wait_until_async(services.claude_parts.prompts.seeded.is_set)
    await services.claude_parts.client.prepare()
    await wait_until_async(lambda: services.cache.stats().link.state == "found")
    return services


async def analyse(services: Services, facts: LeadFacts = FACTS, count: int = 1) -> None:
    """Ask so often about one lead."""
    subject = await services.subjects.described(facts)
    for _ in range(count):
        await services.lead_analyses.analyse(subject, operator="anna")


async def view_of(services: Services) -> ClaudeView:
    """The view of the last minute, with all that was recorded."""
    services.monitor.fold()
    return await services.claude_overview.load(60)


async def test_asks_are_told_by_how_they_were_answered(ready: Services) -> None:
    """One made, the others kept, one failed; the reads of Claude's families make the hit rate; the speed is not judged."""
    await analyse(ready, count=5)
    ready.claude_parts.dials.change(faults=Faults(refuse=1.0))
    await analyse(ready, replace(FACTS, budget_most=90_000))

    view = await view_of(ready)

    figures = view.figures
    assert {item.kind: item.count for item in figures.answered} == {"made": 1, "hit": 4}
    assert [(item.kind, item.count) for item in figures.failures] == [("refused", 1)]
    assert (figures.samples, figures.hit_rate) == (5, 4 / 5)
    assert figures.mean_seconds is not None
    assert view.rehearsal
    assert view.dials is not None
    assert (view.verdict.state, "rehearsed" in view.verdict.reason) == ("cannot_tell", True)


async def test_costs_are_of_the_ledger_by_prompt_model_and_operator(ready: Services) -> None:
    """What was asked is in today's figures once the ledger has written it; the budget counts the same money."""
    await analyse(ready)
    await wait_until_async(lambda: ready.claude_parts.ledger.stats().written == 1)

    costs = await ready.claude_overview.costs()

    assert costs.today.value is not None
    assert costs.long.value is not None
    today = costs.today.value
    assert [line.name for line in today.prompts] == ["lead_analysis"]
    assert [line.name for line in today.operators] == ["anna"]
    assert today.total.cost_usd == pytest.approx(costs.stats.budget.spent_usd)
    assert (costs.long.value.until.date() - costs.long.value.since.date()).days == LONG_DAYS - 1
    assert costs.stats.budget.age_seconds is not None


async def test_models_in_use_come_first_with_their_prices(settings: Settings) -> None:
    """Also one by another name, and one that is on no list."""
    given = replace(settings, claude_model="claude-haiku-4-5", claude_fallback_model="some-model")
    async with build_services(given) as services:
        models = await services.claude_overview.models()

    assert [(row.model.id, row.use) for row in models.rows[:2]] == [
        ("claude-haiku-4-5-20251001", "in use"),
        ("some-model", "fallback"),
    ]
    assert models.rows[0].price is not None
    assert models.rows[1].price is None
    assert (models.live, models.rehearsal) == (False, True)


async def test_few_words_name_model_key_breaker_and_budget(ready: Services) -> None:
    """Nothing is said of what is fine; the words may be asked for from any thread."""
    words = ready.claude_overview.words
    assert await asyncio.to_thread(words) == "claude-haiku-5-5, no key: rehearsal"
    ready.claude_parts.scheduler.breaker.open("ann", "maintenance")
    assert words().endswith("rehearsal, kept away by hand")
    ready.claude_parts.scheduler.breaker.automatic("ann")
    assert ready.overview.environment().claude == words()


async def test_a_budget_that_is_used_up_is_said(settings: Settings) -> None:
    """In the first line and in few words."""
    async with build_services(replace(settings, claude_budget_day_usd=1e-6)) as services:
        await wait_until_async(services.claude_parts.prompts.seeded.is_set)
        await analyse(services)
        view = await view_of(services)

        assert "less than an ask may cost" in view.verdict.reason
        assert services.claude_overview.words().endswith("budget used up")


async def test_every_action_is_done_and_on_record(ready: Services) -> None:
    """Hold, release, keep away, ask again, dials: with who did it and the line that it ran."""
    actions, scheduler = ready.claude_operations, ready.claude_parts.scheduler
    start = actions.dials_at_start()
    await wait_until_async(ready.setup.finished.is_set)

    await actions.hold(10, operator="ann")
    assert scheduler.stats().hold_by == "ann"
    assert 590 < scheduler.stats().hold_seconds_left <= 600
    assert "held by ann" in (await view_of(ready)).notices[0].reason
    await actions.release(operator="ann")
    assert scheduler.stats().hold_seconds_left == 0
    await actions.ask_claude(False, operator="ann")
    assert scheduler.breaker.state == "forced_open"
    await actions.ask_claude(True, operator="ann")
    assert scheduler.breaker.state == "closed"
    await actions.turn_dials(replace(start, faults=Faults(overloaded=0.5)), operator="ann")
    assert ready.claude_parts.dials.values.faults.overloaded == 0.5

    found = await ready.operations.list(kind="claude")
    assert [operation.title for operation in found] == [
        "Turn the dials of the rehearsal", "Ask Claude again", "Keep asks from Claude", "Release background asks",
        "Hold background asks for 10 minutes",
    ]  # fmt: skip
    assert {operation.operator for operation in found} == {"ann"}
    assert 'REHEARSAL_FAULTS="529:0.5"' in found[0].commands
    with pytest.raises(UsageError):
        await actions.hold(24 * 60 + 1, operator="ann")


async def test_there_are_no_dials_where_claude_answers(settings: Settings) -> None:
    """With a key nothing is rehearsed."""
    async with build_services(
        replace(settings, anthropic_api_key="sk-test", anthropic_base_url="http://127.0.0.1:9")
    ) as services:
        with pytest.raises(UsageError):
            await services.claude_operations.turn_dials(services.claude_operations.dials_at_start(), operator="ann")
        assert (await view_of(services)).dials is None
