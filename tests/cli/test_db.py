"""`python -m core db`: slow statements, indexes and blockers, of people and of machines."""

from __future__ import annotations

from dataclasses import replace

from core.settings import Settings
from tests.cli.command import run
from tests.database.blocked import HOLDER, WAITER, blocked
from tests.servers import execute


def test_slow(settings: Settings, database_url: str) -> None:
    """Without the extension it is said what brings it; with it, statements by their time in all, told as means."""
    lacking = run(settings, "db", "slow", "--json")
    assert lacking.code == 1
    assert "CREATE EXTENSION pg_stat_statements" in lacking.body["error"]["next_step"]
    execute(database_url, "CREATE EXTENSION pg_stat_statements")
    execute(database_url, "SELECT pg_sleep(0.05) AS slept_for_the_test")
    told = run(settings, "db", "slow", "--json")
    assert told.code == 0, told.err
    assert any("slept_for_the_test" in item["text"] for item in told.body["data"]["items"])
    assert all(item["mean_seconds"] * item["calls"] <= item["seconds"] * 1.001 for item in told.body["data"]["items"])
    shown = run(settings, "db", "slow", "--for", "0.2")
    assert "not P95" in shown.out
    assert "slept_for_the_test" not in shown.out


def test_indexes_and_a_server_that_is_down(settings: Settings) -> None:
    """Every index with its size and scans; 3 where nobody answers."""
    listed = run(settings, "db", "indexes", "--json")
    assert "leads_pkey" in {item["name"] for item in listed.body["data"]["items"]}
    away = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none")
    assert run(away, "db", "blockers").code == 3


def test_blockers(settings: Settings, database_url: str) -> None:
    """One who holds and one who waits, since when and for what."""
    with blocked(database_url) as scene:
        told = run(settings, "db", "blockers", "--json").body["data"]
        (tree,) = told["trees"]
        assert (told["waiting"], tree["pid"], tree["waiters"][0]["pid"]) == (1, scene.holder, scene.waiter)
        assert tree["session"]["state"] == "idle in transaction"
        shown = run(settings, "db", "blockers").out
    assert "for AccessShareLock of leads" in shown
    assert shown.index(HOLDER) < shown.index(f"└─ {scene.waiter}  {WAITER}")
