"""`python -m core ask`: a text and a stored prompt, what it took, what it refuses, and a call that is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from core.cli import main
from core.settings import Settings
from tests.cli.command import environment, run
from tests.console_process import ROOT
from tests.servers import fetch_value


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The rehearsal without waits."""
    return replace(settings, rehearsal_first_token_seconds=0.001, rehearsal_tokens_per_second=1e9)


def test_a_text_and_a_prompt(settings: Settings, database_url: str) -> None:
    """The answer on stdout, what it took and REHEARSAL on stderr; each call is in the ledger of the budgets."""
    asked = run(settings, "ask", "Say yes.")
    assert asked.code == 0, asked.err
    assert asked.out.strip()
    assert "REHEARSAL" in asked.err
    assert "tokens in, " in asked.err
    assert " dollars, first token " in asked.err

    lead = "--var=lead=Stage: hot"
    prompted = run(settings, "ask", "--prompt", "lead_analysis", lead, "--max-tokens", "900", "--effort", "low", "--json")
    assert prompted.code == 0, prompted.err
    data = prompted.body["data"]
    assert (data["rehearsal"], data["prompt"]["name"], data["prompt"]["version"]) == (True, "lead_analysis", "1 changed")
    assert 1 <= data["value"]["intent_score"] <= 100
    assert data["cost_usd"] > 0
    rows = "SELECT count(*) FROM console.claude_attempts WHERE outcome = 'ok' AND operator LIKE 'cli %'"
    assert fetch_value(database_url, rows) == 2


def test_over_budget(settings: Settings) -> None:
    """1, with what to do."""
    refused = run(replace(settings, claude_budget_day_usd=0.0), "ask", "Say yes.", "--json")
    assert (refused.code, refused.body["error"]["kind"]) == (1, "over_budget")
    assert "CLAUDE_BUDGET_DAY_USD" in refused.body["error"]["next_step"]


@pytest.mark.parametrize("arguments", [(), ("a", "--prompt", "b"), ("a", "--var", "b=c"), ("a", "--version", "1")])
def test_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """2 for nothing or two things asked, before any server is."""
    assert main(["ask", *arguments]) == 2
    assert capsys.readouterr().err


def test_a_variable_that_is_missing(settings: Settings) -> None:
    """2, and it is named."""
    refused = run(settings, "ask", "--prompt", "lead_analysis", "--json")
    assert (refused.code, "lead" in refused.body["error"]["message"]) == (2, True)


@pytest.mark.slow
def test_a_terminal_streams_and_stops(settings: Settings, database_url: str) -> None:
    """The text comes while it is made; Ctrl-C ends the call: 130, and the ledger has it as cancelled."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "ask", "Say yes."], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=subprocess.DEVNULL, env=environment(replace(settings, rehearsal_tokens_per_second=2.0)),
    )  # fmt: skip
    try:
        assert os.read(ours, 10).startswith(b"This")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    assert fetch_value(database_url, "SELECT array_agg(outcome) FROM console.claude_attempts") == ["cancelled"]
