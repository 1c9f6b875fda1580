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
    await platform_connection.execute("CREATE EXTENSION pg_stat_statements")  # The one that a query needs and may lack.
    queries = Queries()
    names = [query.name for query in queries]
    statements = [name for name in names if "." not in name]
    for name in statements:
        filters = {item.partition(".")[2]: None for item in names if item.startswith(f"{name}.")}
        await platform_connection.prepare(queries.compose(name, filters)[0])

    assert len(names) == len(set(names)) > len(statements) > 0
    assert [query.name for query in queries if not query.description.endswith(".")] == []


def test_filters_are_joined_and_numbered_after_the_querys_own_parameters(tmp_path: Path) -> None:
    """Only the chosen fragments are there, each with the next number."""
    text = (
        "-- name: q\n-- d.\nSELECT 1 FROM t WHERE a = $1 AND b = $2 [filters] LIMIT $2\n"
        "-- name: q.x\n-- d.\nx = $?\n-- name: q.y\n-- d.\n(y = $? OR y IS NULL)\n"
    )
    queries = _queries(tmp_path, text, {})

    assert " ".join(queries.compose("q", {"y": 7})[0].split()).endswith("b = $2 AND (y = $3 OR y IS NULL) LIMIT $2")
    assert "[filters]" not in queries.compose("q", {})[0]
    assert queries.compose("q", {"y": 7, "x": 8})[1] == [7, 8]
    with pytest.raises(QueryError, match=r"q\.z"):
        queries.compose("q", {"z": 1})
