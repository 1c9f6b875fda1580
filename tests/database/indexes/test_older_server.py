"""PostgreSQL 15, where Debian's is installed: the same tests of the catalogue, preflight, runs, proof and sessions.

The tests are those of the other modules; here `database_url` is a database of the older server.
"""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import migrations
from core.database.indexes.catalog import Indexes
from tests.database.conftest import opened
from tests.database.debian import DebianPostgres, find_programs
from tests.database.indexes.conftest import Connect
from tests.database.indexes.test_preflight import (
    indexes,
    test_a_statement_that_postgresql_refuses_is_found,
    test_heap_only_updates_that_would_be_lost_are_told,
    test_the_cost_is_near_the_truth,
    test_who_is_in_the_way_is_named,
)
from tests.database.indexes.test_run import (
    test_a_cancelled_run_leaves_nothing,
    test_the_same_definition_in_other_words_is_adopted,
    test_two_runs_take_turns_and_the_second_sees_the_first,
    test_up_and_down,
    test_what_a_failed_build_left_is_repaired,
)
from tests.database.indexes.test_traps import test_a_drop_that_has_to_wait_too_long_says_what_is_left
from tests.database.test_explain import test_an_index_that_helps_is_proved
from tests.database.test_sessions import test_a_real_wait_and_its_end, test_what_all_programs_asked
from tests.platform.test_index_builds import test_a_build_names_whom_it_waits_for
from tests.platform.test_indexes import test_a_build_is_an_operation
from tests.servers import execute

__all__ = [
    "indexes", "opened", "test_a_build_is_an_operation", "test_a_build_names_whom_it_waits_for",
    "test_a_cancelled_run_leaves_nothing", "test_a_drop_that_has_to_wait_too_long_says_what_is_left",
    "test_a_real_wait_and_its_end", "test_a_statement_that_postgresql_refuses_is_found", "test_an_index_that_helps_is_proved",
    "test_heap_only_updates_that_would_be_lost_are_told", "test_the_cost_is_near_the_truth",
    "test_the_same_definition_in_other_words_is_adopted", "test_two_runs_take_turns_and_the_second_sees_the_first",
    "test_up_and_down", "test_what_a_failed_build_left_is_repaired", "test_what_all_programs_asked",
    "test_who_is_in_the_way_is_named",
]  # fmt: skip
MAJOR = "15"
# One server for all of them; starting it takes seconds.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("older-server")]


@pytest.fixture(scope="module")
def older() -> Iterator[DebianPostgres]:
    """The older server, with both schemas in its database `platform`."""
    programs = find_programs(MAJOR)
    if programs is None:
        pytest.skip(f"PostgreSQL {MAJOR} of Debian is not installed here.")
    with tempfile.TemporaryDirectory(prefix="older-", ignore_cleanup_errors=True) as folder:
        server = DebianPostgres(Path(folder), programs)
        try:
            server.start()
            for history in ("console", "platform"):
                asyncio.run(migrations.upgrade(history, server.url))
            yield server
        finally:
            server.stop()


@pytest.fixture
def database_url(older: DebianPostgres) -> Iterator[str]:
    """A database of this test's own on the older server: both schemas, no rows."""
    maintenance, name = older.url.replace("@/platform?", "@/postgres?"), f"test_{uuid.uuid4().hex[:16]}"
    execute(maintenance, f"CREATE DATABASE {name} TEMPLATE platform")
    try:
        yield older.url.replace("@/platform?", f"@/{name}?")
    finally:
        execute(maintenance, f"DROP DATABASE {name} WITH (FORCE)")


async def test_what_the_older_server_does_not_tell(indexes: Indexes, connect: Connect, platform_connection) -> None:
    """When an index was last used is known from PostgreSQL 16 on; how often is counted all the same."""
    reader = await connect()
    await reader.execute("SET enable_seqscan = off; SELECT * FROM leads WHERE id = 1")
    await reader.fetchval("SELECT pg_stat_force_next_flush()")
    found = {one.name: one for one in await indexes.found(await connect(), ["leads"])}

    assert platform_connection.get_server_version().major == int(MAJOR)
    assert (found["leads_pkey"].scans, found["leads_pkey"].last_scan_at) == (1, None)
