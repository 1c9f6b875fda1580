"""Bounds and export: what a store takes and what a spreadsheet may open."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from core.operations import Operation
from core.operations.bounds import JSON_MAX_BYTES, bounded_count, bounded_json, bounded_lines, bounded_text
from core.operations.export import COLUMNS, to_csv

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OPERATION = Operation(
    id=7, kind="import", key="import:leads", title="Import leads", operator="local operator", parameters={"file": "a.csv"},
    commands=("COPY leads", "ANALYZE leads"), resumable=False, state="done", what="rows", done=3, total=3, rate_per_second=1.5,
    started_at=NOW, updated_at=NOW, finished_at=NOW, cancelled_by=None, result={"rows": 3}, error="", next_step="",
    host="host", pid=1,
)  # fmt: skip


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("values", [{}, {"a": [1, None, True, "ü"]}, {"nested": {"b": {"c": 1.5}}}])
def test_plain_json_is_left_as_it_is(values: dict[str, Any]) -> None:
    """What fits and is JSON comes out equal."""
    assert bounded_json(values) == values


def test_what_is_no_json_becomes_text() -> None:
    """Dates, paths and infinite numbers are no reason to lose the rest."""
    loop: list[object] = []
    loop.append(loop)

    found = bounded_json({"date": NOW, "set": {1}, "huge": 10**30, "infinite": float("inf"), "loop": loop, 3: "three"})

    assert found["date"] == str(NOW)
    assert (found["set"], found["huge"], found["infinite"], found["3"]) == ([1], str(10**30), None, "three")
    assert orjson.dumps(found)


def test_json_lines_and_text_stay_within_their_bounds() -> None:
    """64 KB with the note of what was left out, never half a value."""
    many = {f"key{number}": "x" * 1_000 for number in range(500)}

    assert len(orjson.dumps(bounded_json(many))) < JSON_MAX_BYTES + 2_000
    assert "did not fit" in bounded_json(many)["truncated"]
    lines = bounded_lines(f"COPY table_{number}" for number in range(50_000))
    assert sum(map(len, lines)) < JSON_MAX_BYTES
    assert "more lines were left out" in lines[-1]
    assert bounded_text("x" * 10_000).endswith("(10,000 characters, cut)")


@pytest.mark.parametrize(("given", "kept"), [(3, 3), (2.9, 2), (float("nan"), 0), (10**40, 2**63 - 1), (-5, -5)])
def test_counts_fit_a_bigint(given: float, kept: int) -> None:
    """Whatever a work reports."""
    assert bounded_count(given) == kept


def test_the_export_reads_back() -> None:
    """Every column, commands on lines of their own, JSON for mappings."""
    rows = _read(to_csv([OPERATION]))

    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["commands"] == "COPY leads\nANALYZE leads"
    assert orjson.loads(rows[0]["result"]) == {"rows": 3}
    assert rows[0]["started_at"] == "2026-01-02T03:04:05.000+00:00"


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1", "\uff1d1"])
def test_no_cell_is_a_formula(title: str) -> None:
    """What a spreadsheet would run begins with an apostrophe."""
    row = _read(to_csv([replace(OPERATION, title=title, error=title)]))[0]

    assert row["title"].startswith("'")
    assert row["error"].startswith("'")


def test_an_empty_export_has_its_header() -> None:
    """No operation, no line."""
    assert to_csv([]).strip() == ",".join(COLUMNS)
