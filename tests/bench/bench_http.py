"""Requests per second of a trivial route: bare Starlette, `serve` and the console, in turns, with wrk."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console_process import ConsoleProcess, free_port
from tests.support import wait_until

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed (apt-get install wrk)")

ROUNDS, SECONDS, CONNECTIONS = 5, 3, 100
BARE = """
import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def healthz(request):
    body = orjson.dumps({"status": "ok", "version": "0.1.0"})
    return Response(body, 200, media_type="application/json", headers={"Cache-Control": "no-store"})

app = Starlette(routes=[Route("/healthz", healthz)])
"""


def test_a_trivial_route(tmp_path: Path) -> None:
    """The frame, the recorder and the loopback rule cost little; Streamlit around them costs about half."""
    (tmp_path / "bare.py").write_text(BARE)
    port = free_port()
    bare = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port), "--no-access-log", "--log-level", "warning"],
        cwd=tmp_path,
    )
    try:
        serving = ("-m", "core", "serve", "--port", "{port}")
        with ConsoleProcess(tmp_path / "data", command=serving) as serve, ConsoleProcess(tmp_path / "data") as console:
            serve.wait_ready()
            console.wait_ready()
            wait_until(lambda: _wrk(port, 1) > 0)
            servers = {"bare": port, "serve": serve.port, "console": console.port}
            rates: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(ROUNDS):
                for name, number in servers.items():
                    rates[name].append(_wrk(number, SECONDS))
    finally:
        bare.terminate()
        bare.wait(10)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"\n{CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s, requests/s: {rates}")
    ratios = {name: round(value / medians["bare"], 2) for name, value in medians.items()}
    print(f"medians {medians}; of bare Starlette: {ratios}")


def _wrk(port: int, seconds: int) -> float:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", f"http://127.0.0.1:{port}/healthz"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)
    return float(found[1]) if found else 0.0
