"""Requests per second of cached lists over `serve`: from memory, and when each request is a search of its own."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.console_process import ConsoleProcess

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed (apt-get install wrk)")

ROUNDS, SECONDS, CONNECTIONS = 3, 3, 16
SAMPLE = {"SAMPLE_LEADS": "20000", "SAMPLE_INTERACTIONS": "150000", "SAMPLE_PROPERTIES": "10000"}
# Each request asks what nobody asked before: 8,181 lists of 50 to 150 leads; any number of equal listings.
SCRIPT = """
local n = 0
init = function(args) n = tonumber(args[1]) end
request = function()
  n = n + 1
  return wrk.format("GET", {path})
end
"""
OWN = {
    "lead list": '"/api/leads?market=austin&limit=" .. (50 + n % 101) .. "&min_score=" .. (math.floor(n / 101) % 81)',
    "property search": '"/api/properties?market=austin&min_price=" .. (n / 1000)',
}
SAME = {"lead list": "/api/leads?market=austin", "property search": "/api/properties?market=austin"}


@pytest.mark.timeout(900)
def test_the_lead_list_and_the_property_search(tmp_path: Path) -> None:
    """From memory, packed, with a copy that holds, and through PostgreSQL each time."""
    serving = ("-m", "core", "serve", "--port", "{port}")
    with ConsoleProcess(tmp_path / "data", command=serving, env=SAMPLE) as serve:
        serve.wait_ready()
        for name in SAME:
            _compare(name, serve.url, tmp_path / "own.lua")


def _compare(name: str, url: str, script: Path) -> None:
    script.write_text(SCRIPT.replace("{path}", OWN[name]))
    same, started = f"{url}{SAME[name]}", count(0, 2_000)
    body, tag = _asked(same)
    _wrk(same, seconds=1)
    rates: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for what, arguments in {
            "of its own": ("-s", str(script), url, "--", str(next(started))),
            "from memory": (same,),
            "packed": ("-H", "Accept-Encoding: gzip", same),
            "304": ("-H", f"If-None-Match: {tag}", same),
        }.items():
            rates.setdefault(what, []).append(_wrk(*arguments))
    medians = {what: round(statistics.median(values)) for what, values in rates.items()}
    print(f"\n{name}, {body:,} bytes, {CONNECTIONS} connections, requests/s (medians of {ROUNDS} x {SECONDS} s): {medians}")
    print(f"load average {os.getloadavg()[0]:.1f}; all rounds {rates}")


def _asked(url: str) -> tuple[int, str]:
    answer = httpx2.get(url, headers={"accept-encoding": "identity"}, trust_env=False)
    return len(answer.content), answer.headers["etag"]


def _wrk(*arguments: str, seconds: int = SECONDS) -> float:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said or "If-None-Match" in " ".join(arguments), said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return float(found[1])
