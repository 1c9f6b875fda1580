"""`python -m core migrate`: status, preflight, up, verify, adopt, down, sql."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.settings import Settings
from tests.cli.command import run
from tests.servers import execute, fetch_value

NAME = "leads_score_idx"


def test_the_life_of_an_index(settings: Settings, database_url: str) -> None:
    """Judged, built, on record, taken off and adopted, dropped; one object each, progress on stderr."""
    judged = run(settings, "migrate", "preflight", NAME, "--json")
    assert (judged.code, judged.body["data"]["items"][0]["verdict"]) == (0, "GO")
    target = ("--target", settings.target_name)

    built = run(settings, "migrate", "up", NAME, *target, "--json")
    assert built.code == 0, built.err
    assert built.body["data"]["indexes"][0]["action"] == "built"
    assert "leads_score_idx, 100%" in built.err
    assert fetch_value(database_url, "SELECT state FROM console.operations") == "done"

    execute(database_url, "UPDATE platform_schema_version SET version_num = '0001'")
    verified = run(settings, "migrate", "verify", "--json")
    assert (verified.code, [item["name"] for item in verified.body["data"]["items"]]) == (1, [NAME])
    assert run(settings, "migrate", "adopt", NAME, *target).code == 0
    assert fetch_value(database_url, "SELECT version_num FROM platform_schema_version") == "1002"

    table = run(settings, "migrate", "status")
    assert any(line.split()[:3] == [NAME, "valid", "yes"] for line in table.out.splitlines())
    down = run(settings, "migrate", "down", NAME, *target)
    assert (down.code, "dropped" in down.out) == (0, True)
    assert fetch_value(database_url, f"SELECT to_regclass('{NAME}')") is None


def test_a_statement_of_ones_own_is_judged(settings: Settings, tmp_path: Path) -> None:
    """From the line or a file; one that PostgreSQL refuses ends with 1 and its words."""
    broken = "CREATE INDEX CONCURRENTLY i ON leads (score) WHERE created_at > now()"
    (file := tmp_path / "index.sql").write_text(f"-- mine\n{broken};\n")
    for arguments in (("--sql", broken), ("--file", str(file))):
        judged = run(settings, "migrate", "preflight", *arguments)
        assert judged.code == 1
        assert "NO  i" in judged.out
        assert "IMMUTABLE" in judged.out
    assert run(settings, "migrate", "preflight", "--sql", "DROP TABLE leads").code == 2


def test_what_is_refused(settings: Settings, database_url: str) -> None:
    """No name, an unknown one, a target that is not named or only watched; a server that is down is 3."""
    target = ("--target", settings.target_name)
    assert run(settings, "migrate", "up", *target).code == 2
    assert run(settings, "migrate", "up", NAME).code == 1
    assert run(replace(settings, mode="watch"), "migrate", "up", NAME, *target).code == 1
    assert run(replace(settings, database_url="postgresql://x@127.0.0.1:1/x"), "migrate", "status").code == 3
    assert fetch_value(database_url, f"SELECT to_regclass('{NAME}')") is None


def test_the_statements_are_printed(settings: Settings) -> None:
    """To copy, up and down; no database is asked."""
    nowhere = replace(settings, database_url="postgresql://x@127.0.0.1:1/x")
    assert run(nowhere, "migrate", "sql", NAME).out.startswith(f"CREATE INDEX CONCURRENTLY {NAME} ON leads USING btree")
    assert run(nowhere, "migrate", "sql", NAME, "--down").out == f"DROP INDEX CONCURRENTLY {NAME};\n"
