"""Migrations: both histories reach the schema that the code believes in, once and only once."""

from __future__ import annotations

import asyncio
from typing import Literal

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from core.database import migrations, schema
from core.errors import SchemaError

Histories = Literal["console", "platform"]
HISTORIES: tuple[Histories, ...] = ("console", "platform")


@pytest.mark.parametrize("history", HISTORIES)
async def test_an_upgrade_reaches_the_head_and_then_has_nothing_to_do(empty_database_url: str, history: Histories) -> None:
    """The first call makes the schema, the second finds it made."""
    assert await migrations.upgrade(history, empty_database_url) is True
    assert await migrations.upgrade(history, empty_database_url) is False


@pytest.mark.parametrize("history", HISTORIES)
async def test_the_migrations_make_the_schema_that_the_code_describes(database_url: str, history: Histories) -> None:
    """Alembic finds no difference between the tables made, with every index built, and the MetaData."""
    config: Config = migrations.alembic_config(history, database_url)
    await asyncio.to_thread(command.upgrade, config, "heads")

    await asyncio.to_thread(command.check, config)


@pytest.mark.parametrize("history", HISTORIES)
async def test_a_downgrade_takes_every_table_back(empty_database_url: str, history: Histories) -> None:
    """Down to base leaves no table of the history but Alembic's own record."""
    await migrations.upgrade(history, empty_database_url)

    await asyncio.to_thread(command.downgrade, migrations.alembic_config(history, empty_database_url), "base")

    connection = await asyncpg.connect(empty_database_url)
    left = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'console')"
    )
    await connection.close()
    assert [row["relname"] for row in left if not row["relname"].endswith("schema_version")] == []


async def test_a_foreign_version_table_is_left_alone(empty_database_url: str) -> None:
    """A platform that uses Alembic itself keeps its `alembic_version`."""
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('theirs')")

    await migrations.upgrade("console", empty_database_url)
    await migrations.upgrade("platform", empty_database_url)

    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "theirs"
    await connection.close()


async def test_the_schema_of_a_newer_console_is_refused(database_url: str) -> None:
    """A revision that this version does not know is named, and nothing is changed."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE console.schema_version SET version_num = '9999'")

    with pytest.raises(SchemaError, match="9999"):
        await migrations.upgrade("console", database_url)

    assert await connection.fetchval("SELECT version_num FROM console.schema_version") == "9999"
    await connection.close()


def test_every_noun_of_the_map_is_a_table_with_an_id() -> None:
    """The default map selects every column of our own tables."""
    assert set(schema.DEFAULT_NOUNS) == {"leads", "properties", "lead_interactions", "markets", "market_data"}
    for name, select in schema.DEFAULT_NOUNS.items():
        assert select.startswith("SELECT id, ")
        assert select.endswith(f" FROM {name}")
