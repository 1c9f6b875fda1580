"""Queries: the named statements of `queries.sql`, with every noun replaced by the SELECT of the schema in use.

Owns the file's format: `-- name: word`, one or more `-- ` lines that describe it, then one statement. A fragment is named
`word.filter` and says `$?` for its one parameter; the statement says `[filters]` where the chosen ones are joined by AND. A
line `-- replica` says that an answer may be as old as the lag that is allowed to a read replica.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.database.schema import DEFAULT_NOUNS
from core.errors import QueryError

REPLICA = "-- replica"
QUERIES_FILE = Path(__file__).with_name("queries.sql")
_HEAD = re.compile(r"^-- name: ([a-z_.]+)\s*$", re.MULTILINE)
_PARAMETER = re.compile(r"\$([0-9]+)")
_NOUN = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement: what it answers, the SQL as PostgreSQL gets it, and whether a replica may answer."""

    name: str
    description: str
    sql: str
    stale_ok: bool = False


class Queries:
    """The named queries over one map of nouns; raises QueryError for a noun or a name that does not exist."""

    def __init__(self, nouns: Mapping[str, str] = DEFAULT_NOUNS, path: Path = QUERIES_FILE) -> None:
        self._queries = {query.name: query for query in _parse(path.read_text(encoding="utf-8"), nouns)}

    def resolve(self, sql_or_name: str) -> str:
        """The SQL of a name; anything with white space in it is SQL already."""
        if any(character.isspace() for character in sql_or_name):
            return sql_or_name
        return self[sql_or_name].sql

    def compose(self, name: str, filters: Mapping[str, object]) -> tuple[str, list[object]]:
        """The SQL of a query with the fragments of these filters, and their arguments, numbered after those of the query."""
        query = self[name]
        first = 1 + max((int(number) for number in _PARAMETER.findall(query.sql)), default=0)
        fragments = [
            self[f"{name}.{item}"].sql.replace("$?", f"${position}") for position, item in enumerate(filters, start=first)
        ]
        return query.sql.replace("[filters]", "".join(f"\n  AND {text}" for text in fragments)), list(filters.values())

    def __getitem__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            raise QueryError(f"There is no named query {name!r}.", "Add it to core/database/queries.sql.") from None

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries.values())


def _parse(text: str, nouns: Mapping[str, str]) -> list[Query]:
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [_query(head.group(1), text[head.end() : end], nouns) for head, end in zip(heads, ends, strict=True)]


def _query(name: str, body: str, nouns: Mapping[str, str]) -> Query:
    lines = body.strip().splitlines()
    notes = [line.strip() for line in lines if line.startswith("--")]
    description = " ".join(note[2:].strip() for note in notes if note != REPLICA)
    sql = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")

    def select_of(match: re.Match[str]) -> str:
        noun = match.group(1)
        if noun not in nouns:
            raise QueryError(f"Query {name!r} names {{{noun}}}, which the schema map does not have.")
        return f"({nouns[noun]})"

    return Query(name, description, _NOUN.sub(select_of, sql), stale_ok=REPLICA in notes)
