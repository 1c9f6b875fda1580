"""`python -m core generate`: the rows, their record, what is refused, and a generation that is killed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.settings import Settings
from tests.cli.command import Ended, ended, run, started
from tests.servers import fetch_value
from tests.support import wait_until


def generate(settings: Settings, leads: int, interactions: int, properties: int, *more: str) -> Ended:
    """Generate with the target's name typed."""
    return run(settings, *arguments(settings, leads, interactions, properties), *more)


def arguments(settings: Settings, leads: int, interactions: int, properties: int) -> tuple[str, ...]:
    """The command's arguments."""
    sizes = ("--leads", str(leads), "--interactions", str(interactions), "--properties", str(properties))
    return ("generate", *sizes, "--target", settings.target_name)


def test_generate(settings: Settings, database_url: str) -> None:
    """The rows are there, the object names them and the seed, the operation is on record, progress is on stderr."""
    done = generate(settings, 300, 1_000, 100, "--json", "--seed", "7")
    assert done.code == 0, done.err
    data = done.body["data"]
    assert (data["leads"], data["lead_interactions"], data["properties"], data["seed"]) == (300, 1_000, 100, 7)
    assert data["rows_per_second"] > 0
    assert "300 of 300 leads, 100%" in done.err
    assert fetch_value(database_url, "SELECT count(*) FROM leads WHERE synthetic") == 300
    assert fetch_value(database_url, "SELECT state FROM console.operations") == "done"
    assert "rows added in" in generate(settings, 10, 0, 0).out


@pytest.mark.parametrize("sizes", [(0, 0, 0), (0, 10, 5), (-1, 0, 0), (0, 0, 60_000_000)])
def test_sizes_that_cannot_be(settings: Settings, sizes: tuple[int, int, int]) -> None:
    """Usage: nothing to do, interactions without leads, fewer than none, more than a machine holds."""
    refused = generate(settings, *sizes, "--json")
    assert refused.code == 2
    assert refused.body["error"]["next_step"]


def test_the_target_must_be_named(settings: Settings, database_url: str) -> None:
    """A database that is not embedded asks for its name, and a watched one refuses it."""
    assert run(settings, "generate", "--leads", "10").code == 1
    assert generate(replace(settings, mode="watch"), 10, 0, 0).code == 1
    assert fetch_value(database_url, "SELECT count(*) FROM leads") == 0


@pytest.mark.slow
def test_a_killed_generation_is_interrupted(settings: Settings, database_url: str) -> None:
    """After kill -9 in the middle: tables as before, the job interrupted, and it can be started again."""
    moved = "SELECT coalesce(max(done), 0) > 0 FROM console.operations WHERE what = 'lead_interactions'"
    with started(settings, arguments(settings, 20_000, 2_000_000, 0)) as process:
        wait_until(lambda: bool(fetch_value(database_url, moved)), timeout_seconds=40)
        process.kill()
        ended(process)
    wait_until(lambda: "interrupted" in run(settings, "operations", "list").out, timeout_seconds=30)
    assert fetch_value(database_url, "SELECT count(*) FROM leads") == 0
    assert generate(settings, 100, 200, 0).code == 0
