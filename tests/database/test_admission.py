"""Admission: first come, first served, and no slot is ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from core.database.admission import Admission


async def test_slots_go_to_those_who_wait_longest() -> None:
    """Neither a newcomer nor one who has just left overtakes."""
    admission, order = Admission(1), list[int]()
    await admission.enter(1)

    async def caller(number: int) -> None:
        await admission.enter(1)
        order.append(number)
        admission.leave()

    callers = [asyncio.create_task(caller(number)) for number in range(20)]
    await asyncio.sleep(0)
    admission.leave()
    assert not admission.enter_at_once()
    await asyncio.gather(*callers)

    assert order == list(range(20))
    assert (admission.free, admission.waiting) == (1, 0)


async def test_a_wait_ends_in_time() -> None:
    """And who gave up does not get the slot later."""
    admission = Admission(1)
    await admission.enter(1)

    with pytest.raises(TimeoutError):
        await admission.enter(0.01)
    admission.leave()

    assert (admission.free, admission.waiting) == (1, 0)


async def test_a_slot_that_comes_with_a_cancellation_is_not_lost() -> None:
    """Both in the same turn of the loop."""
    admission = Admission(1)
    await admission.enter(1)
    waiter = asyncio.create_task(admission.enter(1))
    await asyncio.sleep(0)

    admission.leave()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert admission.free == 1


async def test_no_slot_is_lost_or_made_by_chance() -> None:
    """Five hundred callers, a third of them cancelled at some moment, a third with little patience."""
    admission, chance, inside = Admission(3), random.Random(5), set[int]()

    async def caller(number: int) -> None:
        await admission.enter(0.001 if number % 3 == 1 else None)
        inside.add(number)
        assert len(inside) <= 3
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            inside.remove(number)
            admission.leave()

    callers = [asyncio.create_task(caller(number)) for number in range(500)]
    for number in range(0, 500, 3):
        await asyncio.sleep(0)
        callers[number].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)

    assert not [item for item in results if item is not None and not isinstance(item, asyncio.CancelledError | TimeoutError)]
    assert (admission.free, admission.waiting) == (3, 0)
