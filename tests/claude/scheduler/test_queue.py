"""The queue: who goes next, and how an ask leaves it without its turn."""

from __future__ import annotations

import asyncio

import pytest

from core.claude.scheduler import Scheduler
from core.errors import ClaudeBadRequest, ClaudeDown, ClaudeHeld, ClaudeQueueFull, ClaudeTimeout, UsageError
from core.monitor import Recorder
from tests.claude.scheduler.scripted_api import ScriptedApi, ask, begin
from tests.monitor.manual_clock import ManualClock
from tests.virtual_time import in_virtual_time, now, pass_time

BULK = {"lane": "background", "deadline_seconds": 600.0}


@in_virtual_time
async def test_an_ask_is_sent_at_once_and_its_reply_says_how_it_came():
    """Nothing collects asks first."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)

    (task,) = await begin(scheduler, ask("one"))
    await pass_time(2)
    await api.calls[0].answer()
    scheduled = await task

    assert api.calls[0].began_at == 0
    assert api.calls[0].timeout_seconds == 10
    assert (scheduled.queue_seconds, scheduled.attempts, scheduled.fell_back) == (0, 1, False)


@in_virtual_time
async def test_people_go_first_then_priority_then_arrival():
    """With room for one, the order is exact."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    asks = [
        ask("now"),
        ask("bulk critical", priority="critical", **BULK),
        ask("low", priority="low"),
        ask("normal 1"),
        ask("critical", priority="critical"),
        ask("normal 2"),
        ask("high", priority="high"),
    ]

    tasks = await begin(scheduler, *asks)
    for position in range(len(asks)):
        await api.calls[position].answer()
    await asyncio.gather(*tasks)

    assert api.names == ["now", "critical", "high", "normal 1", "normal 2", "low", "bulk critical"]


@in_virtual_time
async def test_a_fifth_of_the_concurrency_is_kept_for_people():
    """Bulk fills eight slots up to six; people use all of them."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, interactive_reserve=0.2)

    bulk = await begin(scheduler, *(ask(f"bulk {number}", **BULK) for number in range(20)))
    assert len(api.calls) == 6
    people = await begin(scheduler, ask("one"), ask("two"), ask("three"))

    assert api.names[6:] == ["one", "two"]
    assert scheduler.stats().in_flight_background == 6
    await scheduler.close()
    await asyncio.gather(*bulk, *people, return_exceptions=True)


@in_virtual_time
async def test_background_work_moves_while_people_take_everything():
    """After ten seconds without a move one ask of it goes before people."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    tasks = await begin(scheduler, ask("first"), ask("bulk", **BULK))
    for number in range(12):
        tasks += await begin(scheduler, ask(f"person {number}"))
        await pass_time(1 - now() % 1)
        await api.calls[-1].answer()

    assert api.calls[api.names.index("bulk")].began_at == pytest.approx(10, abs=0.01)
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_a_low_priority_ages():
    """After ninety seconds a low ask stands among the critical ones by its arrival."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    tasks = await begin(scheduler, ask("first", deadline_seconds=600), ask("low", priority="low", **BULK))
    await pass_time(95)

    tasks += await begin(scheduler, ask("critical", priority="critical", **BULK))
    await api.calls[0].answer()

    assert api.names == ["first", "low"]
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_a_deadline_ends_a_wait_and_a_call():
    """To the instant; the queue is empty afterwards, and the call was cancelled."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)

    async def ended(name: str, seconds: float) -> float:
        with pytest.raises(ClaudeTimeout):
            await scheduler.run(ask(name, deadline_seconds=seconds))
        return now()

    times = await asyncio.gather(ended("under way", 3), ended("waiting", 2), ended("never", 0))

    assert times == [3, 2, 0]
    assert api.names == ["under way"]
    assert api.calls[0].cancelled
    stats = scheduler.stats()
    assert (stats.queued, stats.in_flight, stats.counters.timeouts_waiting, stats.counters.timeouts_under_way) == (0, 0, 1, 1)


@in_virtual_time
async def test_a_cancelled_caller_leaves_nothing_behind():
    """Neither in the queue nor under way, nor in the turn of the loop in which its turn comes."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    under_way, waiting, chosen, last = await begin(scheduler, *(ask(name) for name in ("a", "b", "c", "d")))

    waiting.cancel()
    await pass_time(0)
    under_way.cancel()
    await asyncio.wait([under_way])
    chosen.cancel()  # Its turn has come in this turn of the loop.
    await pass_time(0)

    assert api.calls[0].cancelled
    assert api.names[-1] == "d"
    await api.calls[-1].answer()
    await last
    stats = scheduler.stats()
    assert (stats.queued, stats.in_flight, stats.counters.cancelled, stats.counters.answered) == (0, 0, 3, 1)


@in_virtual_time
async def test_the_queue_is_bounded_and_bulk_leaves_room_for_people():
    """Ten may wait, eight of them in the background."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1, queue_max=10)
    tasks = await begin(scheduler, ask("under way"), *(ask("bulk", **BULK) for _ in range(8)))

    with pytest.raises(ClaudeQueueFull):
        await scheduler.run(ask("bulk", **BULK))
    tasks += await begin(scheduler, ask("person"), ask("person"))
    with pytest.raises(ClaudeQueueFull):
        await scheduler.run(ask("person"))

    assert scheduler.stats().queued == 10
    assert scheduler.stats().counters.queue_full == 2
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_held_background_work_waits_and_goes_on_by_itself():
    """People are served meanwhile; what cannot wait so long is told at once."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    scheduler.hold_background(60, by="Ana")

    with pytest.raises(ClaudeHeld, match="held by Ana for another 60 s") as told:
        await scheduler.run(ask("hasty", lane="background", deadline_seconds=30))
    tasks = await begin(scheduler, ask("bulk", **BULK), ask("person"))

    assert told.value.retry_after_seconds == pytest.approx(60)
    assert api.names == ["person"]
    assert scheduler.stats().hold_by == "Ana"
    await pass_time(60)
    assert api.names == ["person", "bulk"]
    assert api.calls[1].began_at == pytest.approx(60)
    assert scheduler.stats().hold_by == ""
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_a_released_hold_ends_at_once():
    """And a hold without end is refused."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    scheduler.hold_background(300)
    tasks = await begin(scheduler, ask("bulk", **BULK))
    assert not api.calls

    scheduler.release_background()
    await pass_time(0)

    assert api.names == ["bulk"]
    with pytest.raises(UsageError):
        scheduler.hold_background(1e9)
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_background_work_is_slowed_down_for_a_time():
    """Half of what is under way, at least one; nothing is cut off, people go on, and it ends by itself."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=8)
    tasks = await begin(scheduler, *(ask(f"bulk {number}", **BULK) for number in range(8)))
    assert scheduler.stats().in_flight_background == 6

    assert scheduler.slow_background(60, by="Ana") == 3
    await api.calls[0].answer()
    tasks += await begin(scheduler, ask("person"))
    await pass_time(30)
    assert (scheduler.stats().background_most, scheduler.stats().slowed_by) == (3, "Ana")
    assert api.names[6:] == ["person"]

    await pass_time(31)
    assert scheduler.stats().background_most is None
    assert api.names[6:] == ["person", "bulk 6"]
    assert scheduler.slow_background(60) == 3
    scheduler.restore_background()
    assert scheduler.stats().background_most is None
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_a_promoted_ask_goes_with_those_of_people():
    """Somebody began to wait for what was made in the background."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    wanted = ask("wanted", **BULK)
    tasks = await begin(scheduler, ask("first"), ask("other", **BULK), wanted)

    assert scheduler.promote(wanted)
    assert not scheduler.promote(ask("unknown", **BULK))
    await api.calls[0].answer()

    assert api.names == ["first", "wanted"]
    assert scheduler.stats().in_flight_interactive == 1
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_close_ends_everything_and_returns_when_it_has():
    """Callers hear that the console is closing; a later ask does too, until it is open again."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    tasks = await begin(scheduler, ask("under way"), ask("waiting"))

    await scheduler.close()

    assert [type(result) for result in await asyncio.gather(*tasks, return_exceptions=True)] == [ClaudeDown, ClaudeDown]
    assert api.calls[0].cancelled
    with pytest.raises(ClaudeDown):
        await scheduler.run(ask("late"))
    await scheduler.open()
    await begin(scheduler, again := ask("again"))
    assert api.names[-1] == again.prompt_name
    await scheduler.close()


@in_virtual_time
async def test_each_end_is_counted_under_few_names():
    """One count per ask, whatever the error; the wait of each that was sent; the levels."""
    recorder, api = Recorder(ManualClock().steady), ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1, record=recorder)
    tasks = await begin(scheduler, ask("ok"), ask("bad"), ask("late", deadline_seconds=1), ask("left", **BULK))
    await pass_time(2)
    await api.calls[0].answer()
    await api.calls[1].fail(ClaudeBadRequest("400"))
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    recorder.fold()

    snapshot = recorder.snapshot(60)
    ends = {series.labels: series.delta for series in snapshot.counters if series.metric == "claude_asks"}
    assert ends == {
        ("interactive", "ok"): 1,
        ("interactive", "other"): 1,
        ("interactive", "timeout"): 1,
        ("background", "cancelled"): 1,
    }
    assert recorder.total("claude_queue_seconds", 60).count == 3
    assert {gauge.metric for gauge in snapshot.gauges} == {"claude_in_flight", "claude_waiting", "claude_concurrency_limit"}


async def test_real_time_is_served_too():
    """On the loop of the services, where timers are whole milliseconds."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send, concurrency_max=1)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(scheduler.run(ask("first")))
        await asyncio.sleep(0)
        with pytest.raises(ClaudeTimeout):
            await scheduler.run(ask("second", deadline_seconds=0.02))
        await api.calls[0].answer()

    assert first.result().reply.text == "yes"
    assert scheduler.stats().in_flight == 0
