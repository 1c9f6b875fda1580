"""ReadOnly: which pasted statement may be run to look at its plan, and its parameters as PostgreSQL takes them.

Owns two refusals: whatever is not one SELECT, VALUES or WITH that only reads, and calls that reach beyond a transaction that is
read-only and rolled back. PostgreSQL itself refuses every write of what passes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import asyncpg
import orjson

from core.errors import UsageError

MOST_CHARACTERS = 20_000
READS = ("select", "values", "with", "(")
ONE_READ = "Paste one SELECT, VALUES or WITH that only reads."
LEAVE_OUT = "Leave /* comments */ out, and give texts with escapes as parameters: $1."

# Comments, texts, and names in quotes, in the order in which PostgreSQL meets them; a dollar inside of a name opens no text.
_QUIET = re.compile(r"""--[^\n]*|'(?:[^']|'')*'|(?<![\w$])\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$|"(?:[^"]|"")*["]""", re.DOTALL)
_UNCLEAR = re.compile(r"/\*|\\'|\bu&[\"']|\be'", re.IGNORECASE)
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|truncate|into|create|alter|drop|copy|call|do|set|lock|grant|listen|notify)\b"
)
# What a rolled-back transaction does not undo, or what runs SQL that is not seen here.
_REACHES = re.compile(
    r"\b(pg_\w*|lo_\w+|dblink\w*|set_config|nextval|setval|txid_current|\w+_to_xml\w*|xpath_table|crosstab\w*)\s*\("
)
_HARMLESS = re.compile(
    r"pg_(get_\w+|typeof|size_pretty|column_size|(total_)?relation_size|table_size|indexes_size|sleep|is_in_recovery|stat_get_\w+)"
)

_TYPES: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
        **dict.fromkeys(("float4", "float8"), float),
        **dict.fromkeys(("timestamp", "timestamptz"), datetime.fromisoformat),
        "numeric": lambda value: Decimal(str(value)),
        "date": date.fromisoformat,
        "time": time.fromisoformat,
        **dict.fromkeys(("bool", "jsonb"), lambda value: value),
    }
)


def require_read(sql: str) -> str:
    """The statement without its last semicolon; raises UsageError for one that may not be run."""
    text = sql.strip().rstrip(";").strip()
    if not text or len(text) > MOST_CHARACTERS or "\x00" in text:
        raise UsageError(f"There is no statement, or one of more than {MOST_CHARACTERS:,} characters.", ONE_READ)
    if found := _UNCLEAR.search(text):
        raise UsageError(f"The statement says {found.group()}, behind which anything may stand.", LEAVE_OUT)
    words = _QUIET.sub(_quiet, text).lower().strip()
    if ";" in words:
        raise UsageError("These are several statements.", ONE_READ)
    if not words.startswith(READS):
        raise UsageError(f"A statement that begins with {words.split(maxsplit=1)[0][:20].upper()} is not run here.", ONE_READ)
    if found := _WRITES.search(words):
        raise UsageError(f"The statement says {found.group().upper()}: nothing is changed here.", ONE_READ)
    for call in _REACHES.finditer(words):
        if not _HARMLESS.fullmatch(call.group(1)):
            reason = f"{call.group(1)}() may do what a transaction that is rolled back does not undo."
            raise UsageError(reason, "Leave it out, or run it in psql.")
    return text


def parse_parameters(text: str) -> list[Any]:
    """The values of `$1, $2, ...` out of a JSON array; raises UsageError."""
    try:
        values = orjson.loads(text or "[]")
    except orjson.JSONDecodeError as error:
        raise UsageError(f"The parameters are not JSON: {error}", 'Write an array: ["austin", 50]') from None
    if not isinstance(values, list):
        raise UsageError("The parameters are not an array.", 'Write one: ["austin", 50]')
    return values


def convert(values: Sequence[Any], types: Sequence[asyncpg.Type]) -> list[Any]:
    """JSON values as Python values of the statement's parameter types; raises UsageError."""
    if len(values) != len(types):
        wanted = ", ".join(f"${number} {item.name}" for number, item in enumerate(types, start=1)) or "none"
        raise UsageError(f"{len(values)} parameters were given, {len(types)} are wanted: {wanted}.", "Give them in this order.")
    return [_converted(number, value, item) for number, (value, item) in enumerate(zip(values, types, strict=True), start=1)]


def _quiet(match: re.Match[str]) -> str:
    """A space, or the name that stood in quotes, since it may be that of a function."""
    return re.sub(r"\W", " ", match.group()) if match.group().startswith('"') else " "


def _converted(number: int, value: Any, kind: asyncpg.Type) -> Any:
    if value is None:
        return None
    try:
        if kind.kind == "array":
            return [_scalar(item, kind.name.removesuffix("[]").lstrip("_")) for item in value]
        return _scalar(value, kind.name)
    except (TypeError, ValueError, ArithmeticError):
        raise UsageError(f"${number} is no {kind.name}: {value!r}", "Write times as 2026-01-31T08:00:00+00:00.") from None


def _scalar(value: Any, kind: str) -> Any:
    if kind == "bool" and not isinstance(value, bool):
        raise TypeError(value)
    if kind == "json":
        return orjson.dumps(value).decode()
    return _TYPES[kind](value) if kind in _TYPES else str(value)
