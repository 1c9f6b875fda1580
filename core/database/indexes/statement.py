"""IndexStatement: one CREATE INDEX taken apart, as far as is needed to try it on another table.

Owns the reading of the head (names, options); the rest stays text that PostgreSQL judges. Refuses anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import UsageError

IDENTIFIER = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
_STATEMENT = re.compile(
    rf"""\s*CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+(?P<concurrently>CONCURRENTLY\s+)?(?P<if_missing>IF\s+NOT\s+EXISTS\s+)?
    (?:(?P<name>(?!ON\b){IDENTIFIER})\s+)?ON\s+(?P<only>ONLY\s+)?(?:(?P<schema>{IDENTIFIER})\s*\.\s*)?(?P<table>{IDENTIFIER})\s*
    (?P<rest>(?:USING\b|\().*?)\s*;?\s*""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"^\s*--[^\n]*\n", re.MULTILINE)
_TAIL = re.compile(r"\sUSING\s.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class IndexStatement:
    """The parts of a CREATE INDEX; `rest` is everything after the table."""

    sql: str
    name: str | None
    schema: str | None
    table: str
    rest: str
    unique: bool
    concurrently: bool
    if_missing: bool

    @classmethod
    def parse(cls, sql: str) -> IndexStatement:
        """Read one statement; raises UsageError for anything else."""
        text = _COMMENT.sub("", sql).strip()
        match = _STATEMENT.fullmatch(text)
        if match is None:
            raise UsageError(f"Not a CREATE INDEX that can be checked: {text[:80]!r}.", "Give one CREATE INDEX statement.")
        parts = match.groupdict()
        return cls(
            sql=text.rstrip("; \n"), name=parts["name"], schema=parts["schema"], table=parts["table"], rest=parts["rest"],
            unique=bool(parts["unique"]), concurrently=bool(parts["concurrently"]), if_missing=bool(parts["if_missing"]),
        )  # fmt: skip

    @property
    def qualified(self) -> str:
        """The table as the statement names it."""
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def on(self, table: str, name: str) -> str:
        """The same index on another table, without CONCURRENTLY."""
        return f"CREATE {'UNIQUE ' if self.unique else ''}INDEX {name} ON {table} {self.rest}"


def tail(definition: str) -> str:
    """What `pg_get_indexdef` says after the table's name, beginning with USING; UNIQUE, if it is, stands before it."""
    found = _TAIL.search(definition)
    text = found.group().strip() if found else definition
    return f"UNIQUE {text}" if definition.startswith("CREATE UNIQUE") else text
