"""PromptRuns: every run is kept with what it takes to run it again, found again, and exported as it is."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from core.claude.messages import Usage
from core.claude.prompt_library import PromptLibrary
from core.claude.prompt_run import PromptRun, run_of
from core.claude.prompt_run_export import COLUMNS, to_csv, to_json_lines
from core.claude.prompt_runs import PromptRuns, RunFilter
from core.claude.prompts import PromptVersion
from core.database.pool import Database
from core.errors import ClaudeTruncated, UsageError
from tests.claude.asks import answer_of, attempt_of
from tests.support import wait_until_async

SHIPPED = PromptVersion(name="greeting", title="Greeting", template="Hello $name", max_tokens=50, author="shipped")
VALUES = {"name": "buyer, 300k-400k"}


@pytest.fixture
async def library(store: Database) -> PromptLibrary:
    """Two versions of one prompt."""
    made = PromptLibrary(store, [SHIPPED])
    (first,) = await made.seed()
    await made.save(first.edited(template="Dear $name"), based_on=1, author="anna")
    return made


def _run(version: int = 1, result=None, **more) -> PromptRun:
    prompt = PromptVersion(**{**SHIPPED.as_json(), "version": version})
    request = prompt.render(VALUES, default_model="claude-a")
    given = {"operator": "anna", "group_key": "g1", "rehearsal": False, "lead_id": "17", **more}
    return run_of(prompt, request, VALUES, result or answer_of(), **given)


async def test_a_run_comes_back_as_it_was_and_can_be_run_again(store: Database, library: PromptLibrary) -> None:
    """All of it, errors too; once, however often it is written; with the version as it was then."""
    runs = PromptRuns(store, library)
    answered = _run(2, answer_of(text="Call\x00 \ud800her.", value={"b": ["\x00"], "a": 1}), schema_valid=True)
    failed = _run(1, ClaudeTruncated("Too long."), attempts=[attempt_of("truncated")], cost_usd=0.1, duration_seconds=2.0)
    number, again = await runs.keep(answered), await runs.keep(answered)
    other = await runs.keep(failed)
    assert number == again
    assert number is not None
    assert other is not None

    read = await runs.get(number)
    assert (read.answer_text, read.answer_value, read.schema_valid) == ("Call\ufffd ?her.", {"a": 1, "b": ["\ufffd"]}, True)
    assert (read.usage, read.cost_usd, read.attempts) == (
        Usage(input_tokens=300, cache_read_tokens=100, output_tokens=150),
        0.000115,
        1,
    )
    bad = await runs.get(other)
    assert (bad.outcome, bad.error, bad.cost_usd, bad.usage.output_tokens) == ("truncated", "Too long.", 0.1, 150)

    replay = await runs.replay(number)
    assert (replay.prompt.version, replay.prompt.template, replay.variables) == (2, "Dear $name", VALUES)
    assert (replay.settings.model, replay.settings.max_tokens, replay.lead_id) == ("claude-a", 50, "17")
    with pytest.raises(UsageError):
        await runs.get(2**70)
    assert (await runs.replay(await runs.keep(_run(0)) or 0)).prompt.template == "Hello $name"


async def test_runs_are_found_by_what_is_known_of_them(store: Database, library: PromptLibrary) -> None:
    """Each filter alone and together; a percent sign is a percent sign; pages follow one another without a gap."""
    runs = PromptRuns(store, library)
    ids = [await runs.keep(_run(1, answer_of(text=f"Answer {number}: 50% OFF"))) for number in range(5)]
    ids.append(await runs.keep(_run(2, ClaudeTruncated("cut"), operator="ben", group_key="g2", lead_id=None)))
    await runs.annotate(ids[0], "the best")

    async def found(limit: int = 50, before_id: int | None = None, **wanted) -> list[int]:
        page = await runs.search(RunFilter(**wanted), limit=limit, before_id=before_id)
        return [ids.index(run.id) for run in page]

    assert await found() == [5, 4, 3, 2, 1, 0]
    assert await found(text="50% off") == [4, 3, 2, 1, 0]
    assert await found(text="0%%") == []
    assert await found(text="THE BEST") == [0]
    assert await found(text="300k", version=2) == [5]
    assert await found(outcome="truncated") == await found(operator="ben") == await found(group_key="g2") == [5]
    assert await found(prompt="greeting", lead_id="17", outcome="ok", limit=2) == [4, 3]
    assert await found(limit=2, before_id=ids[3]) == [2, 1]
    now = datetime.now(UTC)
    assert await found(since=now + timedelta(hours=1)) == await found(until=now - timedelta(hours=1)) == []


async def test_runs_are_exported_page_by_page(store: Database, library: PromptLibrary) -> None:
    """JSON lines hold everything; no cell of the CSV is a formula; an export has an end."""
    runs = PromptRuns(store, library)
    await asyncio.gather(*(runs.keep(_run(1, answer_of(text=f"=HYPERLINK({number})"))) for number in range(205)))

    lines = [orjson.loads(line) async for line in to_json_lines(runs.export(RunFilter()))]
    assert [line["id"] for line in lines] == sorted((line["id"] for line in lines), reverse=True)
    assert len({line["answer_text"] for line in lines}) == 205
    assert set(lines[0]) == set(COLUMNS)

    text = b"".join([piece async for piece in to_csv(runs.export(RunFilter(), most=3))]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["answer_text"][:12] for row in rows] == ["'=HYPERLINK("] * 3
    assert orjson.loads(rows[0]["variables"]) == VALUES


async def test_a_run_that_ends_while_the_store_is_away_is_kept_later(store: Database, library: PromptLibrary) -> None:
    """Whoever ran it sees the answer at once; the row follows."""
    runs = PromptRuns(store, library)
    await store.execute("ALTER TABLE console.prompt_runs RENAME TO gone")
    assert await runs.keep(_run()) is None
    await store.execute("ALTER TABLE console.gone RENAME TO prompt_runs")
    await runs.open()
    await wait_until_async(lambda: runs.stats().waiting == 0)
    await runs.close()
    assert len(await runs.search(RunFilter())) == 1


async def test_runs_that_are_too_old_go(store: Database, library: PromptLibrary) -> None:
    """Older than 400 days, or beyond the number that is kept."""
    runs = PromptRuns(store, library)
    for _ in range(4):
        await runs.keep(_run())
    newest = "(SELECT max(id) FROM console.prompt_runs)"
    await store.execute(f"UPDATE console.prompt_runs SET created_at = now() - interval '401 days' WHERE id = {newest}")
    assert await store.execute("prompt_runs_expire", 400, 10) == "DELETE 1"
    assert await store.execute("prompt_runs_expire", 400, 2) == "DELETE 1"
    assert len(await runs.search(RunFilter())) == 2
