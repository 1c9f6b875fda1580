"""Statements: what may be asked twice, and after what a session needs no cleaning."""

from __future__ import annotations

import pytest

from core.database.measures import Measures
from core.database.queries import Queries
from core.database.statements import Statements


@pytest.fixture
def statements() -> Statements:
    """Over the shipped queries."""
    return Statements(Queries(), Measures(0.05, None))


def test_the_shipped_queries_are_judged_rightly(statements: Statements) -> None:
    """No query that changes something is taken for a read, and those with session locks are cleaned up after."""
    changing = {
        "record_start", "reach_milestone", "add_interactions", "add_analytics_events", "add_mark", "operation_start",
        "operation_progress", "operation_finish", "operation_cancel", "operations_sweep", "end_backend",
    }  # fmt: skip
    locking = {"operation_lock", "operation_unlock"}
    reading = {"lead", "lead_interactions", "market_prices", "market_series", "recent_counts", "table_sizes", "starts_count"}
    for name in changing | locking:
        assert not statements.find(name).reads, name
    for name in reading:
        assert statements.find(name).reads, name
    assert {name for name in changing | locking | reading if not statements.find(name).stateless} == locking
    assert statements.compose("lead_list", {"market": "austin"}).reads


@pytest.mark.parametrize(
    ("sql", "stateless"),
    [
        ("SELECT 1", True),
        ("SELECT count(*) FROM leads WHERE name = 'SET x; LISTEN y'", True),
        ("UPDATE leads SET score = 1 WHERE id IN (1, 2)", True),
        ("INSERT INTO t SELECT 1 ON CONFLICT (a) DO NOTHING", True),
        ("SELECT their_function(1)", False),
        ('SELECT "their function"(1)', False),
        ("SELECT s.count(1)", False),
        ("SELECT pg_advisory_lock(1)", False),
        ("SELECT set_config('a.b', 'c', false)", False),
        ("SET work_mem = '1MB'", False),
        ("SELECT 1; SET work_mem = '1MB'", False),
        ("SELECT E'\\'', their_function(1), 'x'", False),
        ("CREATE TEMP TABLE t (a int)", False),
        ("BEGIN ", False),
    ],
)
def test_sql_without_a_name_is_trusted_only_when_it_is_plain(statements: Statements, sql: str, stateless: bool) -> None:
    """And it is never repeated."""
    statement = statements.find(sql)

    assert (statement.stateless, statement.reads, statement.sql) == (stateless, False, sql)
