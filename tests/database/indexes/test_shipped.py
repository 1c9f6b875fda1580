"""The shipped set: each index is one branch, serves a shipped query, and is the same whoever builds it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from core import sample
from core.database import migrations
from core.database.indexes.run import IndexRun
from core.database.indexes.shipped import IndexSet
from core.database.indexes.statement import IndexStatement, tail
from core.database.queries import Queries
from core.errors import SchemaError
from tests.database.indexes.conftest import NAME, Told, left_of, stamps

OPEN = ["active", "hot", "nurturing"]
# Every query that an index of the set says it serves, with the filters for which it is meant.
ASKED: dict[tuple[str, str], tuple[tuple[Any, ...], dict[str, Any]]] = {
    ("leads_market_score_idx", "lead_list"): ((OPEN, 50, 20), {"market": "austin"}),
    ("leads_score_idx", "lead_list"): ((OPEN, 50, 20), {}),
    ("lead_interactions_lead_created_idx", "lead_list"): ((OPEN, 50, 20), {}),
    ("lead_interactions_lead_created_idx", "lead_interactions"): ((7, 20), {}),
    ("properties_market_price_idx", "property_search"): ((20,), {"market": "austin", "min_price": 100_000.0}),
    ("properties_price_idx", "property_search"): ((20,), {"max_price": 400_000.0, "property_type": "condo"}),
    ("properties_text_idx", "property_search"): ((20,), {"q": "solar panels"}),
    ("ai_responses_prompt_idx", "ai_answers"): (("00ff", 5), {}),
    ("leads_created_idx", "recent_counts"): ((), {}),
    ("leads_created_idx", "newest_rows"): ((), {}),
}


@pytest.fixture
async def sampled(platform_connection) -> asyncpg.Connection:
    """A small sample with answers of an AI, analysed."""
    size = sample.SampleSize(leads=3_000, interactions=20_000, properties=3_000)
    await sample.load(platform_connection, size=size, seed=3, now=datetime.now(UTC))
    await platform_connection.execute(
        "INSERT INTO ai_responses (prompt_hash, prompt_name, model_version, response, input_tokens, output_tokens, source)"
        " SELECT md5(n::text), 'a', 'b', '{}', 1, 1, 'rehearsal' FROM generate_series(1, 3000) AS n"
    )
    await platform_connection.execute("VACUUM ANALYZE")
    return platform_connection


def test_the_notes_name_queries_that_exist(index_set: IndexSet) -> None:
    """Each index serves a named query, says why and which of the twelve intents it answers; the test asks each of them."""
    queries = Queries()
    assert [(notes.name, query) for notes in index_set for query in notes.serves if queries[query]] == list(ASKED)
    assert [notes.name for notes in index_set if not (notes.why.endswith(".") and notes.intents)] == []
    assert IndexStatement.parse(index_set[NAME].create_statement).name == NAME


def test_each_index_is_a_branch_that_needs_only_the_tables(index_set: IndexSet) -> None:
    """Any one is built or skipped alone; its branch has its name."""
    scripts = ScriptDirectory.from_config(migrations.alembic_config("platform"))
    for notes in index_set:
        script = scripts.get_revision(f"{notes.name}@head")
        assert (script.revision, script.down_revision, script.dependencies) == (notes.revision, None, "0001")


async def test_every_index_is_used_by_the_queries_that_it_serves(index_set: IndexSet, sampled: asyncpg.Connection) -> None:
    """With that index alone, and rows enough for a choice, the plan of each of its queries reads it."""
    queries = Queries()
    for (name, query), (arguments, filters) in ASKED.items():
        transaction = sampled.transaction()
        await transaction.start()
        notes = index_set[name]
        await sampled.execute(IndexStatement.parse(notes.create_statement).on(notes.table, name))
        await sampled.execute("SET LOCAL enable_seqscan = off")
        sql, more = queries.compose(query, filters)
        plan = await sampled.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments, *more)
        await transaction.rollback()
        assert f'"Index Name": "{name}"' in plan, f"{query} does not use {name}: {plan}"


async def test_the_lists_read_no_more_than_they_answer(index_set: IndexSet, sampled: asyncpg.Connection) -> None:
    """With the whole set the best leads and the dearest listings come in order: at most the ties are sorted."""
    for notes in index_set:
        await sampled.execute(IndexStatement.parse(notes.create_statement).on(notes.table, notes.name))
    for name, arguments, filters in (
        ("lead_list", (OPEN, 50, 20), {"market": "houston"}), ("lead_list", (OPEN, 50, 20), {}),
        ("lead_list", (["hot"], 50, 20), {}),
        ("property_search", (20,), {"market": "houston"}), ("property_search", (20,), {"max_price": 300_000.0}),
    ):  # fmt: skip
        sql, more = Queries().compose(name, filters)
        plan = orjson.loads(await sampled.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments, *more))[0]["Plan"]
        limit = next(node for node in _nodes(plan) if node["Node Type"] == "Limit")
        kinds = {node["Node Type"] for node in _nodes(limit)}
        assert "Incremental Sort" in kinds, (name, filters, kinds)
        assert not kinds & {"Sort", "Seq Scan", "Bitmap Heap Scan"} - ({"Seq Scan"} if name == "property_search" else set())


async def test_alembic_builds_what_the_console_builds(index_set: IndexSet, empty_database_url: str) -> None:
    """`alembic -n platform upgrade heads`: every index, valid, as the notes write it; the console finds it all on record."""
    config = migrations.alembic_config("platform", empty_database_url)
    await asyncio.to_thread(command.upgrade, config, "heads")
    connection = await asyncpg.connect(empty_database_url)
    for notes in index_set:
        definition = await connection.fetchval("SELECT pg_get_indexdef(to_regclass($1))", notes.name)
        assert tail(definition) == notes.definition
        assert await left_of(connection, notes.name) is True
    run = IndexRun(lambda: asyncpg.connect(empty_database_url), Queries())
    record = await stamps(connection)
    assert record == {notes.revision for notes in index_set}
    assert (await run.up(index_set[NAME], Told())).action == "adopted"
    assert await stamps(connection) == record
    assert await migrations.upgrade("platform", empty_database_url) is False

    await run.down(index_set[NAME], Told())
    await asyncio.to_thread(command.downgrade, config, "base")
    assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'leads'") == 0
    await connection.close()


async def test_alembic_repairs_adopts_and_refuses(index_set: IndexSet, database_url: str, platform_connection) -> None:
    """Run again after a failure: the broken one is built anew, the valid one adopted, another definition is an error."""
    config = migrations.alembic_config("platform", database_url)
    await platform_connection.execute(index_set[NAME].create_statement)
    await platform_connection.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('{NAME}')")
    await platform_connection.execute(index_set["properties_price_idx"].create_statement)
    await platform_connection.execute("CREATE INDEX leads_market_score_idx ON leads (score)")

    await asyncio.to_thread(command.upgrade, config, f"{NAME}@head")
    await asyncio.to_thread(command.upgrade, config, "properties_price_idx@head")
    with pytest.raises(SchemaError, match="another index") as caught:
        await asyncio.to_thread(command.upgrade, config, "leads_market_score_idx@head")

    assert "Rename" in caught.value.next_step
    assert await left_of(platform_connection) is True
    assert await stamps(platform_connection) == {"1002", "1005"}


def test_what_is_written_without_a_database(index_set: IndexSet, capsys: pytest.CaptureFixture[str]) -> None:
    """`alembic upgrade --sql`: each index outside of a transaction."""
    command.upgrade(migrations.alembic_config("platform"), f"0001:{NAME}@head", sql=True)
    written = " ".join(capsys.readouterr().out.split())
    assert f"COMMIT; {' '.join(index_set[NAME].create_statement.split())}; BEGIN;" in written


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in _nodes(child))]
