"""Leaders: one ask of a cold prefix goes ahead, and the others follow."""

from __future__ import annotations

import asyncio

import pytest

from core.claude.messages import Usage
from core.claude.scheduler import Scheduler
from core.errors import ClaudeBadRequest
from tests.claude.scheduler.scripted_api import ScriptedApi, ask, begin
from tests.virtual_time import in_virtual_time, pass_time

LONG = "You rate leads. " * 200
WRITTEN = Usage(input_tokens=10, cache_write_5m_tokens=800, output_tokens=10)
READ = Usage(input_tokens=10, cache_read_tokens=800, output_tokens=10)
BULK = {"lane": "background", "deadline_seconds": 600.0}


def bulk(count: int, system: str = LONG) -> list:
    """Background asks with one prefix."""
    return [ask(f"bulk {number}", system=system, **BULK) for number in range(count)]


async def end(scheduler: Scheduler, tasks: list) -> None:
    """Leave nothing behind."""
    await scheduler.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@in_virtual_time
async def test_followers_go_with_the_first_event_of_the_leader():
    """The leader streams for them, though nobody asked it to; asks with other prefixes do not wait."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    tasks = await begin(scheduler, *bulk(4), ask("short", **BULK), ask("other", system=LONG + "Now.", **BULK))

    assert api.names == ["bulk 0", "short", "other"]
    assert scheduler.stats().following == 3
    await api.calls[0].say("The")
    assert api.names[3:] == ["bulk 1", "bulk 2", "bulk 3"]
    assert scheduler.stats().following == 0
    await end(scheduler, tasks)


@in_virtual_time
async def test_a_failed_leader_is_followed_by_another():
    """One of the followers leads, the others go on waiting."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    tasks = await begin(scheduler, *bulk(3))
    await api.calls[0].fail(ClaudeBadRequest("400"))

    assert api.names == ["bulk 0", "bulk 1"]
    await api.calls[1].answer(usage=WRITTEN)
    assert api.names[2:] == ["bulk 2"]
    assert scheduler.stats().counters.led == 2
    await end(scheduler, tasks)


@pytest.mark.parametrize(("usage", "waits"), [(READ, True), (Usage(input_tokens=810), False)], ids=["cached", "never cached"])
@in_virtual_time
async def test_a_prefix_is_cold_again_after_five_minutes_without_use(usage, waits):
    """And one that the API does not cache never is: nobody waits for nothing."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    tasks = await begin(scheduler, *bulk(1))
    await api.calls[0].answer(usage=usage)
    await pass_time(200)
    tasks += await begin(scheduler, *bulk(2))
    assert len(api.calls) == 3, "it is warm"
    for call in api.calls[1:]:
        await call.answer(usage=usage)
    await pass_time(280)
    tasks += await begin(scheduler, *bulk(2))
    assert len(api.calls) == 5, "each use keeps it warm"
    for call in api.calls[3:]:
        await call.answer(usage=usage)
    await pass_time(300)

    tasks += await begin(scheduler, *bulk(2))

    assert len(api.calls) == (6 if waits else 7)
    await end(scheduler, tasks)


@in_virtual_time
async def test_a_person_waits_for_another_persons_leader_half_a_second_at_most():
    """And for one in the background not at all."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    tasks = await begin(scheduler, *bulk(1), ask("not waiting", system=LONG))
    assert api.names == ["bulk 0", "not waiting"]

    tasks += await begin(scheduler, ask("leader", system=LONG + "!"), ask("follower", system=LONG + "!"))
    assert api.names[2:] == ["leader"]
    await pass_time(0.6)

    assert api.names[3:] == ["follower"]
    assert api.calls[3].began_at == pytest.approx(0.5, abs=0.01)
    await end(scheduler, tasks)


@in_virtual_time
async def test_a_follower_that_is_cancelled_is_gone():
    """Its leader's first event does not bring it back."""
    api = ScriptedApi()
    scheduler = Scheduler(api.send)
    tasks = await begin(scheduler, *bulk(3))
    tasks[1].cancel()
    await pass_time(0)
    await api.calls[0].say("The")

    assert api.names == ["bulk 0", "bulk 2"]
    assert scheduler.stats().queued == 0
    await end(scheduler, tasks)
