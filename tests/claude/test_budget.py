"""Budget: hard over processes, exact when it is known what was spent, and never a wait without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from core.claude.budget import Budget, Reservation
from core.claude.costs import Prices
from core.database.pool import Database
from core.errors import ClaudeOverBudget
from tests.claude.asks import ask_of, attempt_of
from tests.claude.stores import open_store
from tests.servers import fetch_value

PRICES = Prices()
MOST = PRICES.most_usd(ask_of().request)
COST = 0.000115
TAKEN = "SELECT taken_usd FROM console.claude_budget WHERE operator = ''"


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    """The one store as two processes reach it."""
    async with open_store(database_url) as one, open_store(database_url) as other:
        yield one, other


def _budget(store: Database, day_usd: float = 0.01, operator_day_usd: float | None = None, **more) -> Budget:
    return Budget(store, PRICES, scope="claude", day_usd=day_usd, operator_day_usd=operator_day_usd, **more)


async def _try(budget: Budget, operator: str = "anna") -> Reservation | None:
    ask = ask_of(operator=operator)
    try:
        return await budget.reserve(ask, ask.request)
    except ClaudeOverBudget:
        return None


async def test_a_cent_holds_with_fifty_in_flight_in_two_processes(stores: tuple[Database, Database]) -> None:
    """Round after round of fifty at once: what was ever allowed stays below a cent, though no process knows of the other."""
    budgets = [_budget(store) for store in stores]
    spent = 0.0
    for _ in range(6):
        tried = await asyncio.gather(*(_try(budgets[number % 2]) for number in range(50)))
        allowed = [reservation for reservation in tried if reservation is not None]
        assert spent + sum(reservation.usd for reservation in allowed) <= 0.01
        for position, reservation in enumerate(allowed):
            spent += reservation.settle(attempt_of() if position % 3 else attempt_of("timeout", status=None))
    assert 0.005 < spent <= 0.01
    assert len({len(allowed), 50}) == 2
    for budget in budgets:
        await budget.close()
    assert await stores[0].fetch_value(TAKEN) == pytest.approx(spent)


async def test_what_was_not_spent_is_there_again(stores: tuple[Database, Database], database_url: str) -> None:
    """Asks that cost a tenth of their bound: about as many are allowed as the budget pays, and the store has their sum."""
    budget, allowed = _budget(stores[0]), 0
    while (reservation := await _try(budget)) is not None and allowed < 200:
        assert reservation.settle(attempt_of()) == pytest.approx(COST)
        allowed += 1

    assert allowed == int((0.01 - MOST) / COST) + 1
    assert budget.stats().spent_usd == pytest.approx(allowed * COST)
    await budget.close()
    assert await asyncio.to_thread(fetch_value, database_url, TAKEN) == pytest.approx(allowed * COST)


async def test_most_asks_need_no_round_trip(stores: tuple[Database, Database]) -> None:
    """A hundred asks of a budget of five dollars take one lease."""
    budget = _budget(stores[0], day_usd=5.0)
    for _ in range(100):
        reservation = await _try(budget)
        assert reservation is not None
        reservation.settle(attempt_of())

    calls = {stats.name: stats.calls for stats in stores[0].query_stats()}
    assert calls["claude_budget_take"] == 1


async def test_only_what_is_known_is_given_back(stores: tuple[Database, Database]) -> None:
    """An error status costs nothing, tokens cost their price; what was cut, dropped or timed out keeps its bound."""
    budget = _budget(stores[0], day_usd=5.0)
    endings = {
        ("rate_limited", 429): 0.0, ("overloaded", 529): 0.0, ("down", 307): 0.0, ("truncated", 200): COST,
        ("down", None): MOST, ("timeout", None): MOST, ("cut_stream", 200): MOST, ("overloaded", 200): MOST,
        ("cancelled", None): MOST,
    }  # fmt: skip
    for (outcome, status), kept in endings.items():
        reservation = await _try(budget)
        assert reservation is not None
        assert reservation.settle(attempt_of(outcome, status=status)) == pytest.approx(kept), outcome
        reservation.settle(attempt_of("rate_limited", status=429))  # The second word changes nothing.
    for nothing in (None, attempt_of("down", status=None, reached=False)):
        unsent = await _try(budget)
        assert unsent is not None
        assert unsent.settle(nothing) == 0

    stats = budget.stats()
    assert stats.in_flight == 0
    assert stats.unknown_usd == pytest.approx(5 * MOST)
    assert stats.spent_usd == pytest.approx(5 * MOST + COST)


async def test_an_operator_has_an_end_of_his_own(stores: tuple[Database, Database]) -> None:
    """One who has used up his budget takes nothing from the others, and the message names whose it is and when it is over."""
    noon = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    budget = _budget(stores[0], day_usd=1.0, operator_day_usd=MOST * 1.5, now=lambda: noon)
    held = await _try(budget, "anna")
    assert held is not None
    ask, words = ask_of(operator="anna"), r"anna's budget of 0\.00\d+ dollars a day .* 00:00 UTC, in 11 h 30 min"
    with pytest.raises(ClaudeOverBudget, match=words) as refused:
        await budget.reserve(ask, ask.request)

    assert "CLAUDE_BUDGET_OPERATOR_DAY_USD" in refused.value.next_step
    assert await _try(budget, "ben") is not None
    assert budget.stats().in_flight == 2
    assert [stats.state for stats in budget.operators()] == ["used_up", "fine"]


async def test_eighty_percent_is_a_warning_and_midnight_a_new_day(stores: tuple[Database, Database], caplog) -> None:
    """Said once; the next day (UTC) has all of its money, and yesterday's lease goes back to yesterday."""
    moment = [datetime(2026, 11, 23, 23, 59, tzinfo=UTC)]
    budget = _budget(stores[0], day_usd=MOST * 10, now=lambda: moment[0])
    held = [await _try(budget) for _ in range(8)]
    assert budget.stats().state == "warning"
    assert [await _try(budget) for _ in range(3)][-1] is None
    assert budget.stats().state == "used_up"
    assert caplog.text.count("claude_budget_warning") == 1

    moment[0] += timedelta(minutes=2)
    assert await _try(budget) is not None
    assert budget.stats().state == "fine"
    for reservation in held:
        assert reservation is not None
        reservation.settle(attempt_of("overloaded", status=529))
    await budget.close()
    rows = await stores[0].fetch_all("SELECT day, taken_usd FROM console.claude_budget ORDER BY day")
    assert [(row["day"].day, round(row["taken_usd"] / MOST, 6)) for row in rows] == [(23, 2.0), (24, 1.0)]


async def test_without_the_store_the_lease_lasts_and_then_nothing_is_sent(database_url: str) -> None:
    """What was leased is spent on; the refusal says that the store is the cause, and what is settled can be spent again."""
    async with open_store(database_url) as store:
        budget, ask = _budget(store, day_usd=MOST * 200), ask_of()
        first = await budget.reserve(ask, ask.request)
        first.settle(attempt_of("overloaded", status=529))
        await store.execute("ALTER TABLE console.claude_budget RENAME TO gone")

        held = [await budget.reserve(ask, ask.request) for _ in range(2)]
        with pytest.raises(ClaudeOverBudget, match="cannot be checked") as refused:
            await budget.reserve(ask, ask.request)
        assert "store" in refused.value.next_step
        assert budget.stats().store_error

        held[0].settle(attempt_of("overloaded", status=529))
        assert await budget.reserve(ask, ask.request)


async def test_a_store_that_hangs_makes_nobody_wait_for_long(stores: tuple[Database, Database]) -> None:
    """The budget's row is locked by somebody: an ask is refused in seconds, and those behind it at once."""
    budget, ask = _budget(stores[0]), ask_of()
    assert await _try(_budget(stores[1])) is not None
    async with stores[1].transaction() as connection:
        await connection.execute("LOCK TABLE console.claude_budget IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(10):
            refused = await asyncio.gather(*(budget.reserve(ask, ask.request) for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in refused} == {ClaudeOverBudget}
    assert "cannot be checked" in str(refused[0])


async def test_an_ask_that_is_cancelled_leaves_the_others_their_lease(stores: tuple[Database, Database]) -> None:
    """The first of three who wait for one lease goes away: the others get theirs, and nothing is lost."""
    budget, ask = _budget(stores[0], day_usd=5.0), ask_of()
    waiting = [asyncio.create_task(budget.reserve(ask, ask.request)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert waiting[0].cancelled()
    assert [task.result().usd for task in waiting[1:]] == [MOST, MOST]
    assert budget.stats().in_flight == 2
    assert budget.stats().spent_usd == pytest.approx(2 * MOST)


async def test_an_unused_lease_goes_back(stores: tuple[Database, Database]) -> None:
    """What one process leased and does not use another can spend."""
    budget = _budget(stores[0], day_usd=MOST * 200)
    held = await _try(budget)
    assert held is not None
    await budget.give_back_idle(0)
    assert await stores[1].fetch_value(TAKEN) == pytest.approx(2 * MOST)
    held.settle(attempt_of())
    await budget.give_back_idle(0)
    assert await stores[1].fetch_value(TAKEN) == pytest.approx(COST)
