"""`python -m core analyze`: stored and described leads, the rules where the budget is used up, and preparing many."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from core.cli import analyze, main
from core.platform.preparing import Wanted, prepare_line
from core.settings import Settings
from tests.cli.command import run
from tests.servers import fetch_value

pytestmark = pytest.mark.usefixtures("platform_rows")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The rehearsal without waits."""
    return replace(settings, rehearsal_first_token_seconds=0.001, rehearsal_tokens_per_second=1e9)


def test_leads(settings: Settings, database_url: str, tmp_path: Path) -> None:
    """A stored lead, then the same form as text out of the cache; a described one, of which nothing is stored."""
    lead_id = fetch_value(database_url, "SELECT id FROM leads ORDER BY score DESC, id LIMIT 1")
    stored = run(settings, "analyze", str(lead_id), "--json")
    assert stored.code == 0, stored.err
    data = stored.body["data"]
    assert (data["lead_id"], data["source"], data["rehearsal"], data["cache_outcome"]) == (lead_id, "rehearsal", True, "miss")
    assert data["usage"]["output_tokens"] > 0
    told = run(settings, "analyze", str(lead_id)).out
    assert told.startswith("REHEARSAL")
    assert f"Lead {lead_id}: intent {data['analysis']['intent_score']} of 100" in told
    assert f"The rules alone: {data['rules']['score']} of 100" in told
    assert "kept, " in told

    file = tmp_path / "lead.csv"
    file.write_text("budget,stage,shoe size\n450k,hot,43\n", encoding="utf-8")
    described = run(settings, "analyze", "--lead-csv", str(file), "--json").body["data"]
    assert (described["lead_id"], described["canonical"]["stage"], described["ignored"]) == (None, "hot", ["shoe size"])
    assert fetch_value(database_url, "SELECT count(*) FROM leads") == 400
    assert run(settings, "analyze", "0").code == 2


def test_used_up_budget(settings: Settings, tmp_path: Path) -> None:
    """The rules stand alone, and it is said why and what to do; preparing has nothing else to give, and fails."""
    broke, file = replace(settings, claude_budget_day_usd=0.0), tmp_path / "lead.json"
    file.write_text(json.dumps({"budget": 450_000}), encoding="utf-8")
    alone = run(broke, "analyze", "--lead-json", str(file), "--json")
    assert (alone.code, alone.body["data"]["source"], alone.body["data"]["failure"]["kind"]) == (0, "rules", "over_budget")
    assert "CLAUDE_BUDGET_DAY_USD" in alone.err
    refused = run(broke, "analyze", "--prepare", "--limit", "20")
    assert refused.code == 1
    assert "CLAUDE_BUDGET_DAY_USD" in refused.err


def test_preparing(settings: Settings, database_url: str) -> None:
    """Each form of the leads is asked once, as an operation; a lead of them is kept then."""
    done = run(settings, *shlex.split(prepare_line(Wanted(market="austin", limit=30)))[3:], "--json")
    assert done.code == 0, done.err
    data = done.body["data"]
    assert data["asked"] == data["forms"] <= data["leads"] <= 30
    assert "leads prepared, 100%" in done.err
    assert fetch_value(database_url, "SELECT state FROM console.operations WHERE kind = 'prepare'") == "done"


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(market="austin", min_score=70, limit=5)])
def test_the_line_of_the_page_is_what_the_command_takes(wanted: Wanted) -> None:
    """What the page shows to copy means the same leads."""
    parser = argparse.ArgumentParser()
    analyze.add_parser(parser.add_subparsers())
    options = parser.parse_args(shlex.split(prepare_line(wanted))[3:])
    assert options.prepare
    assert Wanted(market=options.market, min_score=options.min_score, limit=options.limit) == wanted


@pytest.mark.parametrize("arguments", [(), ("1", "--prepare"), ("--lead-json", "no-such-file"), ("--prepare", "--limit", "0")])
def test_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """2 for no lead, two at once, a file that is not there and a limit out of bounds, before any server is asked."""
    assert main(["analyze", *arguments]) == 2
    assert capsys.readouterr().err
