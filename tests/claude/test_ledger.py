"""Ledger, AnswerLog and the writing behind them: nothing is lost to an outage, counted twice, or kept of what was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.claude.answer_log import AnswerLog
from core.claude.costs import Prices
from core.claude.ledger import CostLine, Ledger
from core.claude.messages import Turn, Usage
from core.claude.write_behind import WriteBehind
from core.database.pool import Database
from core.errors import DependencyDown, QueryError
from tests.claude.asks import MODEL, answer_of, ask_of, attempt_of
from tests.claude.stores import open_store
from tests.support import wait_until_async

COST = 0.000115  # Of one attempt of asks.py.


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """The console's store, and the platform's database."""
    async with open_store(database_url) as opened:
        yield opened


def _brief(lines: Sequence[CostLine]) -> list[tuple[str, int, int, int]]:
    return [(line.name, line.asks, line.attempts, line.repairs) for line in lines]


async def test_figures_count_asks_attempts_repairs_and_errors(store: Database) -> None:
    """An ask that was tried three times and repaired is one ask of four attempts; an unknown price is said, not counted."""
    ledger = Ledger(store, Prices(), scope="claude")
    await ledger.open()
    ask = ask_of("Jane Doe, 512-555-0100", operator="anna")
    for outcome, status in (("rate_limited", 429), ("timeout", None)):
        ledger.add(ask, attempt_of(outcome, status=status, usage=Usage()))
    ledger.add(ask, attempt_of())
    longer = replace(ask.request, turns=(*ask.request.turns, Turn("assistant", "{}"), Turn("user", "Again.")))
    ledger.add(replace(ask, deadline_seconds=5.0), attempt_of(), longer)
    ledger.add(ask_of(operator="ben", prompt="market_analysis"), attempt_of(model="claude-unheard-of"))
    before = attempt_of()
    ledger.add(ask_of(), replace(before, started_at=before.started_at - timedelta(days=1)))
    await ledger.close()

    figures = await ledger.figures(days=2)
    total = figures.total
    assert (total.asks, total.attempts, total.repairs, total.unpriced) == (3, 6, 1, 1)
    assert (total.cost_usd, total.usage) == (pytest.approx(3 * COST), Usage(input_tokens=1_600, output_tokens=600))
    assert [(error.kind, error.count) for error in total.errors] == [("rate_limited", 1), ("timeout", 1)]
    assert _brief(figures.operators) == [("anna", 2, 5, 1), ("ben", 1, 1, 0)]
    assert _brief(figures.models) == [(MODEL, 2, 5, 1), ("claude-unheard-of", 1, 1, 0)]
    assert [line.name for line in figures.prompts] == ["lead_qualification", "market_analysis"]
    assert [line.asks for line in figures.days] == [1, 2]
    assert (await ledger.figures(days=1)).total.attempts == 5
    assert (await Ledger(store, Prices(), scope="rehearsal").figures()).total == CostLine(name="")
    row = await store.fetch_value("SELECT string_agg(a::text, '') FROM console.claude_attempts AS a")
    assert ask.request.fingerprint() in row
    assert "Doe" not in row


async def test_what_is_too_old_goes(store: Database) -> None:
    """Attempts and budgets of more than 90 days are deleted in the background."""
    ledger = Ledger(store, Prices(), scope="claude")
    ledger.add(ask_of(), replace(attempt_of(), started_at=datetime.now(UTC) - timedelta(days=91)))
    ledger.add(ask_of(), attempt_of())
    await ledger.close()
    await ledger.open()
    left: list[int] = []

    async def look() -> None:
        while left != [1]:
            left[:] = [await store.fetch_value("SELECT count(*) FROM console.claude_attempts")]

    await asyncio.wait_for(look(), 10)
    await ledger.close()


class _Place:
    """A database that can be away, refuses odd numbers if told so, and remembers what it got."""

    def __init__(self) -> None:
        self.down = False
        self.refuses = False
        self.rows: list[int] = []

    async def write(self, rows: Sequence[int]) -> None:
        if self.down:
            raise DependencyDown("away")
        if self.refuses and any(row % 2 for row in rows):
            raise QueryError("odd")
        self.rows += rows


async def test_rows_wait_for_the_database_and_the_oldest_make_room() -> None:
    """Away for a while: bounded memory, the number of the lost is said, the rest follows in order."""
    place = _Place()
    place.down = True
    behind = WriteBehind[int]("test rows", place.write, most=10, collect_seconds=0.01)
    await behind.open()
    for row in range(15):
        behind.add(row)
    await wait_until_async(lambda: behind.stats().error == "away")
    assert (behind.stats().waiting, behind.stats().dropped) == (10, 5)

    place.down = False
    await behind.close()
    assert place.rows == list(range(5, 15))
    assert (behind.stats().waiting, behind.stats().written) == (0, 10)


async def test_a_row_that_the_database_refuses_keeps_no_other_back() -> None:
    """The rest of its batch is written one by one; the refused are counted."""
    place = _Place()
    place.refuses = True
    behind = WriteBehind[int]("test rows", place.write, collect_seconds=0.01)
    await behind.open()
    for row in range(6):
        behind.add(row)
    await wait_until_async(lambda: behind.stats().waiting == 0)
    assert (place.rows, behind.stats().refused) == ([0, 2, 4], 3)
    place.refuses = False
    behind.add(7)
    await behind.close()
    assert place.rows[-1] == 7


async def test_rows_that_come_while_a_batch_is_written_are_kept() -> None:
    """What is under way takes no room from those who come after it."""
    entered, go_on, written = asyncio.Event(), asyncio.Event(), []

    async def write(rows: Sequence[int]) -> None:
        entered.set()
        await go_on.wait()
        written.extend(rows)

    behind = WriteBehind[int]("test rows", write, most=4, collect_seconds=0.01)
    await behind.open()
    for row in range(4):
        behind.add(row)
    await entered.wait()
    for row in range(4, 7):
        behind.add(row)
    go_on.set()
    await wait_until_async(lambda: behind.stats().waiting == 0)
    await behind.close()
    assert (written, behind.stats().dropped) == (list(range(7)), 0)


async def test_answers_are_kept_in_the_platforms_table(store: Database) -> None:
    """Those that were made now, by Claude or in rehearsal; what came from the cache is there already."""
    answers = AnswerLog(store, allowed=True)
    await answers.open()
    for source in ("claude", "rehearsal", "cache", "stale", "rules"):
        answers.add(answer_of(source=source))
    await answers.close()

    rows = await store.fetch_all("SELECT * FROM ai_responses ORDER BY source")
    assert [row["source"] for row in rows] == ["claude", "rehearsal"]
    first = rows[0]
    assert (first["response"], first["input_tokens"], first["output_tokens"]) == (
        {"text": "Call her.", "value": {"score": 71}},
        400,
        150,
    )
    assert (float(first["cost_usd"]), first["model_version"], first["duration_seconds"]) == (COST, MODEL, 1.2)
    assert (answers.stats().not_kept, answers.stats().rows.written) == (0, 2)


async def test_answers_that_may_not_be_kept_are_counted(store: Database) -> None:
    """A watched platform is not written to, and one without the table is not asked again and again; the reason is said."""
    watched = AnswerLog(store, allowed=False)
    watched.add(answer_of())
    assert (watched.stats().not_kept, "MODE=watch" in watched.stats().reason) == (1, True)

    await store.execute("ALTER TABLE ai_responses RENAME TO theirs")
    answers = AnswerLog(store, allowed=True)
    await answers.open()
    answers.add(answer_of())
    await wait_until_async(lambda: answers.stats().not_kept == 1)
    answers.add(answer_of())
    await answers.close()
    assert answers.stats().not_kept == 2
    assert "ai_responses" in answers.stats().reason
    assert await store.fetch_value("SELECT count(*) FROM theirs") == 0
