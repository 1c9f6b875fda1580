"""Faults: what is tried again, when, and who waits meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from core.claude.scheduler import Scheduler
from core.errors import (
    ClaudeBadRequest,
    ClaudeCutStream,
    ClaudeDown,
    ClaudeOverBudget,
    ClaudeOverloaded,
    ClaudeRateLimited,
    ClaudeRefused,
    ClaudeSpendLimit,
    ClaudeTimeout,
    ClaudeTruncated,
)
from tests.claude.scheduler.scripted_api import ScriptedApi, ask, begin, remaining
from tests.virtual_time import in_virtual_time, now, pass_time

OTHER = "claude-sonnet-5-5"
BULK = {"lane": "background", "deadline_seconds": 600.0}


@in_virtual_time
async def test_retry_after_holds_up_everybody_and_the_failed_ask_goes_first():
    """Newcomers and more urgent ones too; another model's limits are its own."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    tasks = await begin(scheduler, ask("failed"), ask("waiting"))
    await api.calls[0].fail(ClaudeRateLimited("429", retry_after_seconds=4))
    tasks += await begin(scheduler, ask("urgent", priority="critical"))
    tasks += await begin(scheduler, ask("other model", model=OTHER))

    assert api.names == ["failed", "other model"]
    assert [paused.seconds_left for paused in scheduler.stats().paused] == [pytest.approx(4, abs=0.01)]
    await api.calls[1].answer()
    await pass_time(4)

    assert api.names[2] == "failed"
    assert api.calls[2].began_at == pytest.approx(4, abs=0.01)
    for position in (2, 3, 4):
        await api.calls[position].answer()
    assert api.names[3:] == ["urgent", "waiting"]
    assert (await tasks[0]).attempts == 2
    await asyncio.gather(*tasks)


@in_virtual_time
async def test_who_cannot_wait_for_retry_after_hears_so_at_once():
    """The failed one and newcomers; one with more time waits."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    (failed,) = await begin(scheduler, ask("failed"))
    await api.calls[0].fail(ClaudeRateLimited("429", retry_after_seconds=30))

    with pytest.raises(ClaudeRateLimited):
        await failed
    with pytest.raises(ClaudeRateLimited) as told:
        await scheduler.run(ask("hasty"))
    assert told.value.retry_after_seconds == pytest.approx(30, abs=0.01)
    (patient,) = await begin(scheduler, ask("patient", **BULK))
    await pass_time(30)
    await api.calls[-1].answer()
    assert (await patient).queue_seconds == pytest.approx(30, abs=0.01)


@pytest.mark.parametrize(
    "error", [ClaudeOverloaded("529"), ClaudeDown("refused"), ClaudeCutStream("cut")], ids=lambda e: e.kind
)
@in_virtual_time
async def test_what_may_pass_is_tried_four_times(error):
    """With longer and longer rests; then the last error is the answer."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    (task,) = await begin(scheduler, ask("one", deadline_seconds=60))
    for position in range(4):
        assert len(api.calls) == position + 1
        await api.calls[position].fail(error)
        await pass_time(3)

    with pytest.raises(type(error)):
        await task
    gaps = [later.began_at - earlier.began_at for earlier, later in zip(api.calls, api.calls[1:], strict=False)]
    assert len(api.calls) == 4
    assert gaps[0] >= 0.5
    assert gaps[2] > gaps[1] > gaps[0]
    assert scheduler.stats().counters.retries == 3


@pytest.mark.parametrize(
    "error",
    [ClaudeBadRequest("400"), ClaudeSpendLimit("429"), ClaudeRefused("no"), ClaudeTruncated("long"), ClaudeOverBudget("dear")],
    ids=lambda error: error.kind,
)
@in_virtual_time
async def test_what_does_not_pass_is_not_tried_again(error):
    """Twenty of them in a row leave breaker, pause and concurrency as they are."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    for position in range(20):
        (task,) = await begin(scheduler, ask("one"))
        await api.calls[position].fail(error)
        with pytest.raises(type(error)):
            await task

    stats = scheduler.stats()
    assert len(api.calls) == 20
    assert (stats.breaker.state, stats.paused, stats.limit, stats.in_flight) == ("closed", (), 8, 0)


@in_virtual_time
async def test_an_answer_that_somebody_has_seen_a_part_of_is_not_begun_anew():
    """The cut stream is the answer."""
    api = ScriptedApi()
    seen: list[str] = []
    task = asyncio.create_task(Scheduler(api.send).run(ask("one"), on_text=seen.append))
    await pass_time(0)
    await api.calls[0].say("The lead")
    await api.calls[0].fail(ClaudeCutStream("cut"))

    with pytest.raises(ClaudeCutStream):
        await task
    assert seen == ["The lead"]


@in_virtual_time
async def test_no_attempt_is_begun_past_the_deadline():
    """The rest before the next one would be too long."""
    api = ScriptedApi()
    (task,) = await begin(Scheduler(api.send), ask("one", deadline_seconds=2))
    await pass_time(1.8)
    await api.calls[0].fail(ClaudeOverloaded("529"))

    with pytest.raises(ClaudeOverloaded):
        await task
    assert now() < 2


@in_virtual_time
async def test_the_limit_shrinks_once_a_round_trip_and_grows_when_used():
    """Eight refused together count once."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=9)
    tasks = await begin(scheduler, *(ask(str(number), deadline_seconds=60) for number in range(8)))
    await pass_time(1)
    for call in list(api.calls):
        await call.fail(ClaudeRateLimited("429", retry_after_seconds=1))
    assert scheduler.stats().limit == 5

    await pass_time(1)
    while not all(task.done() for task in tasks):
        for call in [call for call in api.calls if not call.end.done()]:
            await call.answer()
        await pass_time(0)
    assert scheduler.stats().limit == 6
    assert scheduler.stats().counters.rate_limited == 8


@in_virtual_time
async def test_another_model_answers_people_when_the_first_is_crowded():
    """Once, at once, and said in the result; background work waits for its own."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, fallback_model=OTHER)
    person, bulk = await begin(scheduler, ask("person"), ask("bulk", **BULK))
    await api.calls[0].fail(ClaudeRateLimited("429", retry_after_seconds=30))
    await api.calls[1].fail(ClaudeRateLimited("429", retry_after_seconds=30))
    newcomer = await begin(scheduler, ask("newcomer"))

    assert [(call.name, call.model) for call in api.calls[2:]] == [("person", OTHER), ("newcomer", OTHER)]
    await api.calls[2].answer()
    scheduled = await person
    assert (scheduled.model, scheduled.fell_back, scheduled.reply.model) == (OTHER, True, OTHER)
    await api.calls[3].answer()
    await pass_time(31)
    assert (api.calls[4].name, api.calls[4].model) == ("bulk", "claude-haiku-5-5")
    await api.calls[4].answer()
    assert not (await bulk).fell_back
    await asyncio.gather(*newcomer)


@in_virtual_time
async def test_a_short_trouble_is_waited_out():
    """Ten failures in a row open the breaker; a second later trials find out that all is well, and everybody is answered."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    tasks = await begin(scheduler, *(ask(str(number)) for number in range(8)))
    for position in range(8):
        await api.calls[position].fail(ClaudeDown("refused"))
    await pass_time(0.7)
    for call in list(api.calls[8:]):
        await call.fail(ClaudeDown("refused"))
    assert scheduler.stats().breaker.state == "open"

    tasks += await begin(scheduler, ask("newcomer"), ask("bulk", **BULK))
    before = len(api.calls)
    await pass_time(1)
    assert len(api.calls) == before + 3, "three trials"
    while not all(task.done() for task in tasks):
        for call in [call for call in api.calls if not call.end.done()]:
            await call.answer()
        await pass_time(0.1)

    assert scheduler.stats().breaker.state == "closed"
    assert [(await task).reply.text for task in tasks] == ["yes"] * 10


@in_virtual_time
async def test_an_outage_is_told_to_people_at_once():
    """When the next trial is far, they get their error while background work waits for it."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    bulk = await begin(scheduler, *(ask("bulk", **BULK) for _ in range(20)))
    while (scheduler.stats().breaker.retry_in_seconds or 0) <= 3:
        for call in [call for call in api.calls if not call.end.done()]:
            await call.fail(ClaudeDown("refused"))
        await pass_time(0.1)
    waiting = scheduler.stats().queued

    with pytest.raises(ClaudeDown, match="left alone for a while: refused") as told:
        await scheduler.run(ask("person"))

    assert told.value.retry_after_seconds > 2
    assert "by itself" in told.value.next_step
    assert scheduler.stats().queued == waiting > 0
    assert scheduler.stats().counters.refused_by_breaker == 1
    await scheduler.close()
    await asyncio.gather(*bulk, return_exceptions=True)


@in_virtual_time
async def test_a_breaker_closed_by_hand_lets_go_what_waits():
    """Nobody has to ask first."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    first = await begin(scheduler, ask("first"))
    scheduler.breaker.open("Ana", "maintenance")
    (bulk,) = await begin(scheduler, ask("bulk", **BULK))
    with pytest.raises(ClaudeDown, match="an operator") as told:
        await scheduler.run(ask("person"))
    assert "Press Ask Claude again" in told.value.next_step
    assert api.names == ["first"]

    scheduler.breaker.automatic("Ana")
    await pass_time(0)

    assert api.names == ["first", "bulk"]
    await scheduler.close()
    await asyncio.gather(*first, bulk, return_exceptions=True)


@in_virtual_time
async def test_a_known_limit_is_kept_without_meeting_it():
    """Three remain of sixty a minute: three go, the next one a second later; people come before the reserve, bulk after it."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=32)
    (first,) = await begin(scheduler, ask("first"))
    await api.calls[0].answer(headroom=remaining(3, reset_seconds=7))
    await first

    tasks = await begin(scheduler, ask("bulk", **BULK), *(ask(str(number)) for number in range(5)))
    assert api.names[1:] == ["bulk", "0", "1"]
    await pass_time(2.5)

    assert [round(call.began_at) for call in api.calls[4:]] == [1, 2]
    (headroom,) = scheduler.stats().headroom
    assert (headroom.kind, headroom.limit, round(headroom.capacity)) == ("requests", 60, 10)
    assert headroom.age_seconds == pytest.approx(2.5, abs=0.01)
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_a_time_out_with_little_time_says_nothing_about_the_api():
    """Twenty asks of a second each leave the breaker closed."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    for _ in range(20):
        with pytest.raises(ClaudeTimeout):
            await scheduler.run(ask("hasty", deadline_seconds=1))

    assert scheduler.stats().breaker.state == "closed"


@in_virtual_time
async def test_a_silent_api_opens_the_breaker_though_callers_leave_a_moment_before():
    """Whoever waits as long as the ask may take has a watch that ends first; one that leaves early says nothing."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    for seconds, state in ((5.0, "closed"), (9.99, "closed"), (9.99, "open")):
        results = await asyncio.gather(
            *(asyncio.wait_for(scheduler.run(ask("one")), seconds) for _ in range(20)), return_exceptions=True
        )
        assert not [result for result in results if not isinstance(result, TimeoutError)]
        assert scheduler.stats().breaker.state == state
    assert scheduler.stats().counters.timeouts_under_way == 16
