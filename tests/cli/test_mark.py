"""`python -m core mark`: straight into the store, with the exit codes of every command."""

from __future__ import annotations

from dataclasses import replace

from core.settings import Settings
from tests.cli.command import run
from tests.servers import fetch_value


def test_a_mark_is_made_and_what_cannot_be_one_is_refused(settings: Settings, database_url: str) -> None:
    """0 with what was kept, 2 for a moment out of reach, 3 while the store is away; a terminal is not steered."""
    made = run(settings, "mark", "1.2 \x1b[2J live", "--kind", "deploy", "--link", "https://example.com/1", "--json")
    again = run(settings, "mark", "1.2 \x1b[2J live", "--kind", "deploy", "--link", "https://example.com/1")
    late = run(settings, "mark", "x", "--at", "2020-01-01T00:00:00Z", "--json")
    away = run(replace(settings, console_database_url="postgresql://nobody@127.0.0.1:1/none"), "mark", "x")

    assert (made.code, again.code, late.code, away.code) == (0, 0, 2, 3)
    assert (made.body["data"]["text"], made.body["data"]["stored"]) == ("1.2 [2J live", "new")
    assert again.out.startswith("Marked already at ")
    assert "14 days" in late.body["error"]["message"]
    assert "cannot be kept" in away.err
    assert fetch_value(database_url, "SELECT kind || marked_by LIKE 'deploycli %' FROM console.marks") is True
