"""PromptLab: trials ask anew, are kept whatever comes of them, and a set says which of two texts is better."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.claude.prompt_runs import RunFilter
from core.claude.prompts import PromptVersion
from core.claude.rehearsal import Faults
from core.errors import UsageError
from core.platform.prompt_inputs import PromptInput, kind_of
from core.platform.prompt_lines import ask_line
from core.platform.prompt_sets import SetRequest
from core.platform.prompt_trials import Candidate, Trial
from core.services import Services
from tests.support import wait_until_async


@pytest.fixture
async def ready(platform_rows: None, services: Services) -> Services:
    """Services on a database with rows, the rehearsal without waits."""
    services.claude_parts.dials.change(first_token_seconds=0.0, tokens_per_second=float("inf"))
    await wait_until_async(services.claude_parts.prompts.seeded.is_set)
    return services


async def best_lead(services: Services) -> PromptInput:
    """The best lead as a prompt sees it."""
    lead_id = await services.database.fetch_value("SELECT id FROM leads ORDER BY score DESC, id LIMIT 1")
    return await services.prompt_lab.inputs.lead(str(lead_id))


async def try_on(services: Services, candidate: Candidate, given: PromptInput, group: str = "g") -> Trial:
    """One trial to its end."""
    pieces: AsyncIterator[Any] = services.prompt_lab.trials.stream(candidate, given, operator="anna", group_key=group)
    return [piece async for piece in pieces][-1]


async def test_a_trial_asks_anew_and_is_kept(ready: Services) -> None:
    """Twice the same is two calls and two runs; the answers' cache has neither, and what the lead's page asks still misses."""
    prompt = await ready.claude_parts.prompts.get("lead_analysis", 1)
    given = await best_lead(ready)
    first, second = [await try_on(ready, Candidate(prompt=prompt), given) for _ in range(2)]
    assert (first.run.outcome, first.run.schema_valid, first.faults) == ("ok", True, ())
    assert first.run.rehearsal
    assert first.run.first_token_seconds is not None
    assert first.run.cost_usd
    assert 0 < first.run.id < second.run.id
    assert second.run.attempts == 1
    assert (await ready.claude_parts.runs.get(first.run.id)).lead_id == given.lead_id

    subject = await ready.subjects.stored(given.lead_id or "")
    assert subject is not None
    found = await ready.lead_analyses.analyse(subject, operator="anna")
    assert found.answer is not None
    assert found.answer.cache_outcome == "miss"


async def test_a_draft_is_kept_with_its_text_and_can_be_run_again(ready: Services) -> None:
    """Under the hash of its content, also one of a prompt that was never saved; the order of its schema stays."""
    prompt = await ready.claude_parts.prompts.get("lead_analysis", 1)
    draft = prompt.edited(
        system="Judge kindly.", schema={"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}
    )
    trial = await try_on(ready, Candidate(prompt=draft, draft_of=1), await best_lead(ready))
    read = await ready.claude_parts.runs.get(trial.run.id)
    assert (read.label, read.prompt_version) == (f"draft {draft.content_hash[:8]}", 1)
    again = (await ready.claude_parts.runs.replay(trial.run.id)).prompt
    assert again.content_hash == draft.content_hash
    assert list((again.schema or {})["properties"]) == ["z", "a"]

    new = PromptVersion(name="never_saved", title="New", template="Say $word", max_tokens=500)
    trial = await try_on(ready, Candidate(prompt=new), PromptInput(values={"word": "yes", "more": "x"}, title="by hand"))
    read = await ready.claude_parts.runs.get(trial.run.id)
    assert (read.prompt_version, read.variables, read.outcome) == (0, {"word": "yes"}, "ok")
    assert (await ready.claude_parts.runs.replay(trial.run.id)).prompt.template == "Say $word"


async def test_failures_and_stops_are_kept_too(ready: Services) -> None:
    """With what had arrived and what it cost: a truncated answer costs, of a stopped one nobody can tell."""
    prompt = await ready.claude_parts.prompts.get("lead_analysis", 1)
    given = await best_lead(ready)
    ready.claude_parts.dials.change(faults=Faults(truncate=1.0))
    trial = await try_on(ready, Candidate(prompt=prompt), given)
    assert (trial.run.outcome, trial.run.schema_valid) == ("truncated", None)
    assert trial.run.answer_text
    assert trial.run.cost_usd
    assert "max_tokens" in trial.next_step

    ready.claude_parts.dials.change(faults=Faults(), tokens_per_second=20.0)
    stream = ready.prompt_lab.trials.stream(Candidate(prompt=prompt), given, operator="anna", group_key="stopped")
    piece = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    runs = ready.claude_parts.runs
    await wait_until_async(lambda: runs.stats().written == 1)
    (stopped,) = await runs.search(RunFilter(group_key="stopped"))
    assert (stopped.outcome, stopped.cost_usd) == ("stopped", None)
    assert stopped.answer_text.startswith(str(piece))


async def test_checks_name_what_the_schema_and_our_rules_object_to(ready: Services) -> None:
    """Bounds that the API does not hold, and phrases of fair housing; nothing is repaired."""
    prompt = await ready.claude_parts.prompts.get("lead_analysis", 1)
    schema = {**(prompt.schema or {})}
    schema["properties"] = {**schema["properties"], "intent_score": {"type": "integer", "minimum": 1, "maximum": 1}}
    trial = await try_on(ready, Candidate(prompt=prompt.edited(schema=schema), draft_of=1), await best_lead(ready))
    assert (trial.run.outcome, trial.run.schema_valid, trial.run.repairs) == ("ok", False, 0)
    assert "intent_score" in trial.faults[0]

    listing_id = await ready.database.fetch_value("SELECT id FROM properties ORDER BY id LIMIT 1")
    await ready.database.execute(f"UPDATE properties SET address = 'Exclusive Whites Only Lane' WHERE id = {listing_id}")
    describe = await ready.claude_parts.prompts.get("property_description", 1)
    trial = await try_on(ready, Candidate(prompt=describe), await ready.prompt_lab.inputs.listing(str(listing_id)))
    assert "Whites Only" in " ".join(trial.faults)
    with pytest.raises(UsageError, match="lead"):
        await try_on(ready, Candidate(prompt=prompt), PromptInput(values={}, title="by hand"))


async def test_a_set_compares_two_texts_on_distinct_forms(ready: Services) -> None:
    """Each form once for each text, in the background, as one operation; figures, differences and what it cost."""
    prompts, lab = ready.claude_parts.prompts, ready.prompt_lab
    first = await prompts.get("lead_analysis", 1)
    saved = await prompts.save(first.edited(system="Judge kindly."), based_on=1, author="anna")
    chosen = await lab.inputs.best("austin", 5)
    assert len({given.values["lead"] for given in chosen.inputs}) == len(chosen.inputs) == 5
    assert chosen.leads >= 5
    wanted = SetRequest(
        candidates=(Candidate(prompt=first), Candidate(prompt=saved.version)), inputs=chosen.inputs, of="5 leads of austin"
    )
    most_usd = lab.trials.most_usd(wanted.candidates, wanted.inputs)
    started = await lab.sets.start(wanted, operator="anna")
    over = await ready.operations.wait(started.operation.id)
    assert over.state == "done"
    assert over.result is not None
    assert (over.result["trials"], over.result["answered"]) == (10, 10)
    assert 0 < over.result["cost_usd"] <= most_usd
    assert "--version 1 --var" in over.commands[0]

    report, runs = await lab.sets.report(str(over.parameters["group"]))
    assert len(runs) == 10
    assert [(text.label, text.runs, text.valid, text.sound) for text in report.texts] == [
        ("version 1", 5, 5, 5),
        ("version 2", 5, 5, 5),
    ]
    assert report.texts[0].total is not None
    assert report.texts[0].total.n == 5
    score = next(field for field in report.fields if field.field == "intent_score")
    assert (score.mean_difference, score.agreement, len(score.pairs)) == (0.0, 1.0, 5)  # The rehearsal judges by the rules.


async def test_a_cancelled_set_keeps_what_was_under_way(ready: Services) -> None:
    """As stopped runs of its group; a set beside it is not begun."""
    ready.claude_parts.dials.change(tokens_per_second=5.0)
    prompt = await ready.claude_parts.prompts.get("lead_analysis", 1)
    chosen = await ready.prompt_lab.inputs.best(None, 2)
    wanted = SetRequest(candidates=(Candidate(prompt=prompt),), inputs=chosen.inputs, of="2 leads")
    started = await ready.prompt_lab.sets.start(wanted, operator="anna")
    assert not (await ready.prompt_lab.sets.start(wanted, operator="ben")).created
    await wait_until_async(lambda: ready.claude_parts.scheduler.stats().in_flight_background == 2)
    await ready.operations.cancel(started.operation.id, "anna")
    assert (await ready.operations.wait(started.operation.id)).state == "cancelled"
    await wait_until_async(lambda: ready.claude_parts.runs.stats().written == 2)
    _, runs = await ready.prompt_lab.sets.report(str(started.operation.parameters["group"]))
    assert [run.outcome for run in runs] == ["stopped", "stopped"]


async def test_inputs_fit_their_prompts(ready: Services) -> None:
    """Who gives which variables; ids that are none are told; the line to copy holds what a shell would break."""
    assert [kind_of(names) for names in (("lead",), ("address", "price"), ("market", "figures"), ("word",))] == [
        "lead", "listing", "market", "hand"
    ]  # fmt: skip
    inputs = ready.prompt_lab.inputs
    ids = [str(row["id"]) for row in await ready.database.fetch_all("SELECT id FROM leads ORDER BY id LIMIT 3")]
    chosen = await inputs.leads([*ids, ids[0], "no such", "9" * 400])
    assert (chosen.leads, chosen.missing) == (3, ("no such", "9" * 400))
    market = await inputs.market("austin")
    prompt = await ready.claude_parts.prompts.get("market_analysis", 1)
    assert set(prompt.variables) <= set(market.values)
    line = ask_line(Candidate(prompt=prompt), market)
    assert line.startswith("python -m core ask --prompt market_analysis --version 1 --var 'market=\"")
    with pytest.raises(UsageError):
        await inputs.market("atlantis")
