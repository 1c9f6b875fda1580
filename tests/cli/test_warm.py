"""`python -m core warm`: plans, a dry run, a run and its record, exit codes, and a run that is killed and goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from core.settings import Settings
from tests.cli.command import Ended, ended, run, started
from tests.servers import execute, fetch_value
from tests.support import wait_until

LEADS = 8_000


@pytest.fixture
def leads(database_url: str) -> None:
    """A market with leads."""
    execute(
        database_url,
        "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX');"
        "INSERT INTO leads (market_id, external_id, status, score)"
        f" SELECT 'austin', n::text, 'active', 50 + n % 50 FROM generate_series(1, {LEADS}) AS n; ANALYZE",
    )


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a plan of all leads beside the shipped ones."""
    path = tmp_path / "plans.toml"
    path.write_text(
        f'[all_leads]\ntitle = "All leads"\nquery = "warm_top_leads"\narguments = [{LEADS}]\nkey = "/api/leads/{{id}}"\n'
        f'limit = {LEADS}\nready_by = "08:00"\nzone = "America/Chicago"\n',
        encoding="utf-8",
    )
    return replace(settings, cache_warm_plans=str(path))


def warm(settings: Settings, *arguments: str) -> Ended:
    """Run `warm`."""
    return run(settings, "warm", *arguments)


def test_list(settings: Settings) -> None:
    """The shipped plans and the operator's own, without any server."""
    away = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="redis://127.0.0.1:1/0")
    listed = warm(away, "--list", "--json")
    assert listed.code == 0
    plans = {plan["name"]: plan for plan in listed.body["data"]["items"]}
    assert {"popular_markets", "most_missed", "all_leads"} <= plans.keys()
    assert plans["all_leads"]["ready_by"] == "08:00 America/Chicago"
    assert "All leads  (ready by 08:00 America/Chicago)" in warm(settings, "--list").out


@pytest.mark.parametrize("arguments", [(), ("none", "--dry-run")])
def test_usage(settings: Settings, arguments: tuple[str, ...]) -> None:
    """No plan, or one that does not exist: 2, and the plans are named."""
    refused = warm(settings, *arguments, "--json")
    assert refused.code == 2
    assert refused.body["error"]["next_step"]


def test_a_plans_file_with_a_fault(settings: Settings, tmp_path: Path) -> None:
    """Usage as well: file, plan and field are named."""
    path = tmp_path / "faulty.toml"
    path.write_text("[a]\nkeys = 'lead:1'\nlimit = 0\n")
    refused = warm(replace(settings, cache_warm_plans=str(path)), "--list")
    assert refused.code == 2
    assert "faulty.toml: plan a: limit is a whole number" in refused.err


@pytest.mark.usefixtures("leads")
def test_dry_run_then_run(settings: Settings, database_url: str, redis_url: str) -> None:
    """The dry run stores nothing and says what it stands on; the run loads, is on record, and a second one skips all."""
    dry = warm(settings, "top_leads", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    data = dry.body["data"]
    assert (data["keys"], data["to_load"], data["basis"], data["sampled"]) == (20, 20, "sample", 5)
    assert data["first_keys"][0].startswith("lead:")
    with Redis.from_url(redis_url) as client:
        assert [key for key in client.scan_iter() if b"lead" in key] == []

    done = warm(settings, "top_leads", "--json")
    assert done.code == 0, done.err
    assert (done.body["data"]["loaded"], done.body["data"]["failed"]) == (20, 0)
    assert "20 of 20 keys, 100%" in done.err
    assert fetch_value(database_url, "SELECT state FROM console.operations WHERE kind = 'warm'") == "done"

    again = warm(settings, "top_leads")
    assert "0 loaded, 20 already warm, 0 failed" in again.out
    assert "at its first read" in again.out
    told = warm(settings, "all_leads", "--dry-run").out
    assert f"{LEADS:,} keys, 20 of them warm" in told
    assert "from a sample of 5 loads" in told
    assert "wanted at" in told


def test_a_server_is_down(settings: Settings) -> None:
    """Redis that does not answer: 3, and it is said which."""
    down = warm(replace(settings, redis_url="redis://127.0.0.1:1/0"), "market_data", "--json")
    assert down.code == 3, down.out
    assert "Redis" in down.body["error"]["message"]


def test_watch(settings: Settings) -> None:
    """MODE=watch: nothing is stored in somebody's Redis."""
    refused = warm(replace(settings, mode="watch"), "market_data")
    assert refused.code == 1
    assert "MODE=watch" in refused.err


@pytest.mark.slow
@pytest.mark.usefixtures("leads")
def test_a_killed_run_goes_on(settings: Settings, database_url: str, redis_url: str) -> None:
    """After kill -9 in the middle: interrupted; the next run has its name and loads only the rest."""
    moved = "SELECT coalesce(max(done), 0) BETWEEN 100 AND 6000 FROM console.operations WHERE kind = 'warm'"
    with started(settings, ("warm", "all_leads")) as process:
        wait_until(lambda: bool(fetch_value(database_url, moved)), timeout_seconds=40)
        process.kill()
        ended(process)
    stored = _stored(redis_url)
    assert 100 <= stored < LEADS
    wait_until(lambda: "interrupted" in run(settings, "operations", "list").out, timeout_seconds=30)
    name = fetch_value(database_url, "SELECT parameters ->> 'run' FROM console.operations WHERE kind = 'warm'")

    again = warm(settings, "all_leads", "--json")
    assert again.code == 0, again.err
    data = again.body["data"]
    assert data["run"] == name
    assert data["already_warm"] >= stored
    assert data["loaded"] + data["already_warm"] == LEADS
    assert _stored(redis_url) == LEADS


@pytest.mark.slow
@pytest.mark.usefixtures("leads")
def test_pause_and_resume_from_another_terminal(settings: Settings, database_url: str) -> None:
    """`operations pause` holds the run of another process, `resume` lets it go on; an operation that cannot be held says so."""
    moving = "SELECT id FROM console.operations WHERE kind = 'warm' AND done BETWEEN 50 AND 6000"
    with started(settings, ("warm", "all_leads", "--json")) as process:
        wait_until(lambda: fetch_value(database_url, moving) is not None, timeout_seconds=40)
        number = str(fetch_value(database_url, moving))
        held = run(settings, "operations", "pause", number, "--json")
        assert held.code == 0, held.err
        assert held.body["data"]["paused_by"].startswith("cli ")
        done = f"SELECT done FROM console.operations WHERE id = {number}"
        seen = [0]

        def stands_still() -> bool:
            seen.append(fetch_value(database_url, done))
            return len(seen) > 20 and len(set(seen[-20:])) == 1

        wait_until(stands_still, timeout_seconds=20)
        assert "paused by cli" in run(settings, "operations", "show", number).out
        assert run(settings, "operations", "resume", number).code == 0
        finished = ended(process)
    assert finished.code == 0, finished.err
    assert json.loads(finished.out)["data"]["paused_seconds"] > 0
    over = run(settings, "operations", "pause", number)
    assert over.code == 1
    assert "over already" in over.err


def _stored(redis_url: str) -> int:
    with Redis.from_url(redis_url) as client:
        return sum(1 for _ in client.scan_iter("*{lead:*}", count=1_000))
