"""Statements: what a pool must know of a query before it sends it.

Owns what the text of a named query says about it: whether it only reads, and whether it leaves something in the session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.database.measures import Measure, Measures
from core.database.queries import Queries, Query

AD_HOC = "ad hoc"
REMEMBERED_MAX = 2_000  # Statements, or combinations of filters; what is made of values would else never end.
PLAIN = ("select", "with", "values", "insert", "update", "delete")
# Functions, and words that may stand before a parenthesis. Any other name may be somebody's function that takes a lock.
_HARMLESS = """
all and any array array_agg as avg bool_and bool_or by cast coalesce conflict count date_trunc distinct except exists extract
filter from generate_series greatest in intersect interval join json_agg jsonb_agg jsonb_build_object lateral least length like
lower max md5 min not now nullif numeric on or over percentile_cont pg_sleep random round row_number select string_agg sum
timestamptz unnest upper using values when where with
"""

_CHANGES = re.compile(
    r"\b(insert|update|delete|merge|truncate|call|do|copy|nextval|setval|lo_\w+|pg_\w*(terminate|cancel)\w*)\b"
)
# Locks, settings, cursors, channels and statements that outlive the transaction.
_STAYS = re.compile(r"\b(pg_\w*advisory\w*|set_config|set|reset|listen|declare|prepare|discard|temp|temporary|load)\b")
_CALLS = re.compile(r"""([a-z_][\w.]*|"[^"]*")\s*\(""")
_UPDATE_SET = re.compile(r"\b(update\b[^;]*?)\bset\b")
_COMMENTS_AND_STRINGS = re.compile(r"--[^\n]*|'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it is sent: what `reads` may be asked twice, what is `stateless` leaves its session as it was."""

    sql: str
    reads: bool
    stateless: bool
    stale_ok: bool
    measure: Measure


class Statements:
    """Finds statements by name, or takes SQL as it is."""

    def __init__(self, queries: Queries, measures: Measures) -> None:
        self._queries = queries
        self._measures = measures
        self._harmless = frozenset(_HARMLESS.split())
        self._known: dict[str, Statement] = {}
        self._filtered: dict[tuple[str, ...], Statement] = {}

    def find(self, sql_or_name: str) -> Statement:
        """The statement of a name, or the SQL itself; raises QueryError."""
        statement = self._known.get(sql_or_name)
        return self._learnt(sql_or_name) if statement is None else statement

    def compose(self, name: str, filters: Mapping[str, object]) -> Statement:
        """The statement of a name with the fragments of these filters; raises QueryError."""
        key = (name, *filters)
        statement = self._filtered.get(key)
        if statement is None:
            statement = self._named(self._queries[name], self._queries.compose(name, filters)[0])
            if len(self._filtered) < REMEMBERED_MAX:
                self._filtered[key] = statement
        return statement

    def _learnt(self, sql_or_name: str) -> Statement:
        sql = self._queries.resolve(sql_or_name)
        statement = self._ad_hoc(sql) if sql is sql_or_name else self._named(self._queries[sql_or_name], sql)
        if len(self._known) < REMEMBERED_MAX:
            self._known[sql_or_name] = statement
        return statement

    def _named(self, query: Query, sql: str) -> Statement:
        words = _words(sql)
        stateless = not _STAYS.search(words)
        reads = stateless and words.startswith(("select", "with")) and not _CHANGES.search(words)
        return Statement(sql, reads, stateless, query.stale_ok, self._measures.of(query.name))

    def _ad_hoc(self, sql: str) -> Statement:
        """Never asked twice, and trusted to leave nothing only when it calls nothing that is unknown.

        A backslash may end a string where it is not seen here.
        """
        words = _words(sql)
        plain = words.startswith(PLAIN) and ";" not in words and "\\" not in sql and not _STAYS.search(words)
        stateless = plain and self._harmless.issuperset(_CALLS.findall(words))
        return Statement(sql, reads=False, stateless=stateless, stale_ok=False, measure=self._measures.of(AD_HOC))


def _words(sql: str) -> str:
    """The text in small letters without comments, strings, and the SET of an UPDATE, which changes rows and no session."""
    words = _COMMENTS_AND_STRINGS.sub(" ", sql).lower().strip()
    return _UPDATE_SET.sub(r"\1", words)
