"""1,000 users on a real console: the generator keeps up on a fraction of a core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from core.load.report import report_of
from tests.console_process import ROOT, ConsoleProcess

LINE = ("-m", "core", "load", "--users", "1000", "--think", "5", "--duration", "30", "--json")


@pytest.mark.slow
def test_a_thousand_users(tmp_path: Path) -> None:
    """Half a minute at 5 s think time: every request has an outcome, and under 80 % of a core goes into making them."""
    with ConsoleProcess(tmp_path / "data") as console:
        console.wait_ready()
        ended = subprocess.run(
            [sys.executable, *LINE, "--url", console.url], cwd=ROOT, env=os.environ, capture_output=True, check=False
        )

    report = report_of(orjson.loads(ended.stdout)["data"])
    assert report is not None
    sys.stdout.write(f"P95 {report.latency.p95_seconds} s, {report.errors} errors, generator {report.cpu_share:.0%}\n")
    assert report.cpu_share < 0.8
    assert report.requests == report.planned > 5_500
    assert report.connections >= 900
