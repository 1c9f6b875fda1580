"""Export: operations as CSV for a spreadsheet; refuses to let a cell be taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson

from core.operations.operation import Operation

COLUMNS = (
    "id", "kind", "key", "title", "operator", "state", "started_at", "finished_at", "duration_seconds", "what", "done", "total",
    "rate_per_second", "cancelled_by", "error", "next_step", "host", "pid", "commands", "parameters", "result",
)  # fmt: skip
# OWASP, "CSV Injection": a spreadsheet runs what begins with one of these, also after a quote or a line break.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_csv(operations: Iterable[Operation]) -> str:
    """A header and one line for each operation; times in UTC, JSON in parameters and result, RFC 4180 line ends."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for operation in operations:
        writer.writerow([_cell(getattr(operation, column)) for column in COLUMNS])
    return text.getvalue()


def _cell(value: object) -> object:
    """Numbers as they are; every text that a spreadsheet could run begins with an apostrophe."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    text = "\n".join(value) if isinstance(value, tuple) else value
    if not isinstance(text, str):
        text = orjson.dumps(text).decode()
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
