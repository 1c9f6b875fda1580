"""Queries: the file's format and the map of nouns."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from core.database.queries import Queries
from core.errors import QueryError


def _queries(tmp_path: Path, text: str, nouns: dict[str, str]) -> Queries:
    file = tmp_path / "queries.sql"
    file.write_text(text)
    return Queries(nouns, file)


def test_a_noun_becomes_the_select_of_the_schema_in_use(tmp_path: Path) -> None:
    """Another schema's SELECT stands in place of the noun."""
    text = "-- name: newest\n-- The newest lead.\nSELECT l.id FROM {leads} AS l;\n"

    query = _queries(tmp_path, text, {"leads": "SELECT kunde_nr AS id FROM kunden"})["newest"]

    assert query.sql == "SELECT l.id FROM (SELECT kunde_nr AS id FROM kunden) AS l"
    assert query.description == "The newest lead."


def test_an_unknown_noun_or_name_is_refused(tmp_path: Path) -> None:
    """A misspelt noun is found when the file is read, a misspelt name when it is asked for."""
    with pytest.raises(QueryError, match="houses"):
        _queries(tmp_path, "-- name: a\n-- d\nSELECT 1 FROM {houses} AS h", {})
    with pytest.raises(QueryError, match="nothing_like_it"):
        Queries().resolve("nothing_like_it")


def test_anything_with_a_space_is_sql_already() -> None:
    """A statement passes as it is."""
    assert Queries().resolve("SELECT 1") == "SELECT 1"


async def test_postgresql_accepts_every_shipped_query(platform_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Each named query parses against the shipped schema and says what it answers."""
    names = []
    for query in Queries():
        await platform_connection.prepare(query.sql)
        assert query.description.endswith("."), query.name
        names.append(query.name)

    assert len(names) == len(set(names)) > 0
