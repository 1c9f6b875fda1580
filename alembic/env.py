"""Runs either history of alembic.ini on asyncpg; the section's name (`alembic -n console`) says which."""

from __future__ import annotations

import asyncio

import asyncpg
import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

from core.database import schema
from core.embedded import EmbeddedPostgres
from core.settings import Settings

HISTORY = context.config.config_ini_section
if HISTORY not in ("console", "platform"):
    raise SystemExit("Say which history: alembic -n console ... or alembic -n platform ...")
METADATA = schema.console if HISTORY == "console" else schema.platform
VERSION_TABLE = f"{HISTORY}_schema_version" if HISTORY == "platform" else "schema_version"
VERSION_SCHEMA = "console" if HISTORY == "console" else None
PARTITIONS = "metric_slots_"


def database_url() -> str:
    """The URL handed over by the console, else that of the settings."""
    if url := context.config.attributes.get("url"):
        return str(url)
    settings = Settings.from_env()
    url = settings.console_database_url if HISTORY == "console" else settings.database_operator_url or settings.database_url
    return url or EmbeddedPostgres(settings.data_dir).url


def is_ours(_item: object, name: str | None, kind: str, reflected: bool, same: object) -> bool:
    """The MetaData holds no performance index and no partition: those that are there are no difference."""
    if HISTORY == "console":
        return not (kind == "table" and reflected and (name or "").startswith(PARTITIONS))
    return not (kind == "index" and reflected and same is None)


def configure(connection: sa.Connection | None = None) -> None:
    """The same options online and offline."""
    context.configure(
        connection=connection,
        dialect_name=None if connection else "postgresql",
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        version_table_schema=VERSION_SCHEMA,
        include_schemas=HISTORY == "console",
        include_object=is_ours,
        include_name=lambda name, kind, _: name == VERSION_SCHEMA if kind == "schema" else True,
        transaction_per_migration=True,
        compare_server_default=False,
    )


def run(connection: sa.Connection) -> None:
    """Upgrade over an open connection."""
    if HISTORY == "console":
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS console"))
        connection.commit()
    configure(connection)
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Connect and run; an index may take hours to build, so there is no command timeout."""
    url = database_url()
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url, timeout=10), poolclass=sa.NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    configure()
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(run_online())
