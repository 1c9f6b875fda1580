"""PromptRunExport: runs as JSON lines or CSV, piece by piece; refuses to let a cell be taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from core.claude.messages import Usage
from core.claude.prompt_run import PromptRun, SentSettings

COLUMNS = (
    *(item.name for item in fields(PromptRun) if item.name not in ("usage", "settings")),
    *(item.name for item in fields(SentSettings)),
    *(item.name for item in fields(Usage)),
)
# OWASP, "CSV Injection": a spreadsheet runs what begins with one of these, also after a space.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def to_json_lines(runs: AsyncIterable[PromptRun]) -> AsyncIterator[bytes]:
    """One JSON object on a line for each run."""
    async for run in runs:
        yield orjson.dumps(_flat(run), option=orjson.OPT_APPEND_NEWLINE)


async def to_csv(runs: AsyncIterable[PromptRun]) -> AsyncIterator[bytes]:
    """A header and one row for each run; times in UTC, JSON in variables and answer_value, RFC 4180 line ends."""
    yield _line(COLUMNS)
    async for run in runs:
        values = _flat(run)
        yield _line([_cell(values[column]) for column in COLUMNS])


def _flat(run: PromptRun) -> dict[str, Any]:
    values = asdict(run)
    flat = {**values, **values.pop("settings"), **values.pop("usage")}
    return {column: flat[column] for column in COLUMNS}


def _line(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
