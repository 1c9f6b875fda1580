"""Index operations: started once, remembered, cancelled from the list, and picked up again after a console's end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from core.database.indexes.shipped import IndexSet
from core.errors import TargetError, UsageError
from core.services import Services, build_services
from core.settings import Settings
from tests.database.indexes.conftest import NAME, Connect, connect, left_of, old_snapshot, stamps, until_waiting

__all__ = ["connect", "old_snapshot"]

OTHER = "properties_price_idx"


async def test_a_build_is_an_operation(services: Services, settings: Settings, platform_connection) -> None:
    """With the exact lines, an outcome for each index, and a mark on the timeline."""
    await services.setup.finished.wait()
    typed = settings.target_name
    started = await services.indexes.start_up([NAME, OTHER], operator="local operator", typed=typed)
    done = await services.operations.wait(started.operation.id)

    assert (done.state, done.kind, done.title) == ("done", "index", "Build 2 indexes")
    assert done.result is not None
    assert [(one["index"], one["action"], one["stamped"]) for one in done.result["indexes"]] == [
        (NAME, "built", True), (OTHER, "built", True),
    ]  # fmt: skip
    assert done.commands[0] == f"python -m core migrate up {NAME} {OTHER}"
    assert any(line.startswith(f"CREATE INDEX CONCURRENTLY {OTHER} ON") for line in done.commands)
    [mark] = [mark for mark in (await services.marks.view()).marks if mark.kind == "index"]
    assert (mark.text, mark.running) == ("Build 2 indexes", False)

    asked = [query.calls for query in services.database.query_stats() if query.name == "transaction"]
    states = {one.notes.name: (one.state.state, one.stamped) for one in await services.indexes.status()}
    assert states[NAME] == ("valid", True)
    assert states["leads_created_idx"] == ("absent", False)
    found = {one.name: one for one in await services.indexes.found()}
    assert found[NAME].in_set
    assert found[NAME].size_bytes > 0
    assert not found["leads_pkey"].in_set
    # What a page looks at is not among the times by which the platform is judged.
    assert [query.calls for query in services.database.query_stats() if query.name == "transaction"] == asked

    down = await services.indexes.start_down([NAME], operator="local operator", typed=typed)
    assert (await services.operations.wait(down.operation.id)).state == "done"
    assert await left_of(platform_connection) is None
    assert await stamps(platform_connection) == {"1005"}


async def test_two_operators_of_two_consoles_press_run(
    services: Services, settings: Settings, old_snapshot: asyncpg.Connection, platform_connection
) -> None:
    """At the same moment: one runs, the other sees whose it is and how far, and can cancel it, which leaves nothing."""
    await services.setup.finished.wait()
    async with build_services(settings) as other:
        await other.setup.finished.wait()
        typed = settings.target_name
        both = await asyncio.gather(
            services.indexes.start_up([NAME], operator="Ann", typed=typed),
            other.indexes.start_up([NAME], operator="Bob", typed=typed),
        )
        assert sorted(started.created for started in both) == [False, True]
        assert len({(started.operation.id, started.operation.operator) for started in both}) == 1
        await until_waiting(platform_connection)
        first = next(started.operation for started in both if started.created)
        second = other if both[0].created else services

        (work,) = (await second.index_overview.load()).work
        assert (work.operation.id, work.operation.operator, work.index) == (first.id, first.operator, NAME)
        assert work.build is not None
        assert "nightly report" in work.build.waits_for[0]
        assert await platform_connection.fetchval("SELECT count(*) FROM console.operations WHERE kind = 'index'") == 1
        await second.operations.cancel(first.id, "the other")
        done = await second.operations.wait(first.id)
    assert (done.state, done.cancelled_by) == ("cancelled", "the other")
    assert await left_of(platform_connection) is None


async def test_a_build_left_running_is_followed_by_the_next_console(
    settings: Settings, connect: Connect, old_snapshot: asyncpg.Connection, platform_connection
) -> None:
    """A console that starts finds the build by its name, shows it as its own operation and puts the end on record."""
    alone = await connect()
    await alone.execute("SET application_name = 'console index cli somebody'")
    building = asyncio.ensure_future(alone.execute(IndexSet()[NAME].create_statement))
    await until_waiting(platform_connection)

    async with build_services(settings) as services:
        async with asyncio.timeout(20):
            while not (found := await _listed(services)):
                await asyncio.sleep(0)
        assert found[0].title == f"Follow {NAME}"
        await old_snapshot.execute("ROLLBACK")
        assert (await services.operations.wait(found[0].id)).state == "done"
    await building
    assert await stamps(platform_connection) == {"1002"}


async def test_a_target_that_is_not_embedded_is_named(services: Services, settings: Settings, database_url: str) -> None:
    """Without its name nothing is built; an index that is none is usage; what is only watched is never changed."""
    await services.setup.finished.wait()
    with pytest.raises(TargetError):
        await services.indexes.start_up([NAME], operator="local operator")
    with pytest.raises(UsageError, match="no index nothing"):
        await services.indexes.start_up(["nothing"], operator="local operator", typed=settings.target_name)
    async with build_services(replace(settings, mode="watch")) as watching:
        with pytest.raises(TargetError):
            await watching.indexes.start_up([NAME], operator="local operator", typed=settings.target_name)
        assert (await watching.indexes.preflight(NAME)).verdict == "NO"
        assert {one.state.state for one in await watching.indexes.status()} == {"absent"}


async def _listed(services: Services) -> tuple:
    if not services.setup.finished.is_set():
        return ()
    return await services.operations.list(kind="index")
