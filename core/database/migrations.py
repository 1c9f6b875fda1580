"""Migrations: brings a database to the head of one Alembic history.

Owns the only call of Alembic inside this process. Alembic keeps its state in module globals, so one upgrade runs at a time.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Literal

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from core.errors import DependencyDown, SchemaError

History = Literal["console", "platform"]
ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"
VERSION_TABLES = {"console": "console.schema_version", "platform": "public.platform_schema_version"}
TABLES_BRANCH = {"console": "heads", "platform": "tables@head"}  # The platform's other branches are indexes.
_alembic_lock = threading.Lock()


async def upgrade(history: History, url: str) -> bool:
    """Bring the database at `url` to the head of `history`; False when it was there already.

    Raises SchemaError when a newer console made the schema, or when Alembic refuses.
    """
    found = await _found(history, url)
    known = await asyncio.to_thread(_known, history)
    head = known[0]
    if head in found:
        return False
    if unknown := found - set(known):
        raise SchemaError(
            f"The {history} schema is at {', '.join(sorted(unknown))}, which this version of the console does not know.",
            "Start the newer version of the console that made it.",
        )
    try:
        await asyncio.to_thread(_upgrade, history, url)
    except OSError as error:
        raise DependencyDown(f"PostgreSQL cannot be reached: {error}") from error
    except Exception as error:
        raise SchemaError(f"The {history} schema cannot be brought to {head}: {error}") from error
    return True


def alembic_config(history: History, url: str | None = None) -> Config:
    """Alembic's configuration of one history, for the database at `url`."""
    config = Config(str(ALEMBIC_INI), ini_section=history)
    config.attributes["url"] = url
    config.attributes["quiet"] = True
    return config


def _known(history: History) -> list[str]:
    """Every revision of the history's tables, newest first."""
    scripts = ScriptDirectory.from_config(alembic_config(history))
    return [script.revision for script in scripts.iterate_revisions(TABLES_BRANCH[history], "base")]


def _upgrade(history: History, url: str) -> None:
    with _alembic_lock:
        command.upgrade(alembic_config(history, url), TABLES_BRANCH[history])


async def _found(history: History, url: str) -> set[str]:
    connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
    try:
        rows = await connection.fetch(f"SELECT version_num FROM {VERSION_TABLES[history]}")  # noqa: S608 - a constant
        return {row["version_num"] for row in rows}
    except asyncpg.UndefinedTableError:
        return set()
    finally:
        await connection.close()
