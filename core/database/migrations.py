"""Migrations: brings a database to the head of one Alembic history.

Owns the only call of Alembic inside this process. Alembic keeps its state in module globals, so one upgrade runs at a time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
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
    head, known = await asyncio.to_thread(_known, history)
    if head in found or any(head in known.get(revision, ()) for revision in found):
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


def needs(history: History) -> dict[str, frozenset[str]]:
    """For each revision of the history those that it stands on, near and far: its row in the version table replaces theirs."""
    scripts = {item.revision: item for item in ScriptDirectory.from_config(alembic_config(history)).walk_revisions()}

    def below(revision: str) -> frozenset[str]:
        direct = {*_names(scripts[revision].down_revision), *_names(scripts[revision].dependencies)}
        return frozenset(direct.union(*(below(one) for one in direct)))

    return {revision: below(revision) for revision in scripts}


def _names(given: str | Iterable[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _known(history: History) -> tuple[str, dict[str, frozenset[str]]]:
    """The head of the history's tables, and every revision with those that it stands on."""
    script = ScriptDirectory.from_config(alembic_config(history)).get_revision(TABLES_BRANCH[history])
    return script.revision, needs(history)


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
