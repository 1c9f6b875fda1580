"""The fuzzer against the OpenAPI document: every answer is one that the document declares."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console_process import ConsoleProcess

pytestmark = pytest.mark.slow

REQUESTS = 2_000
CONFIG = Path(__file__).with_name("schemathesis.toml")
AT_ONCE = {"REHEARSAL_FIRST_TOKEN_SECONDS": "0.001", "REHEARSAL_TOKENS_PER_SECOND": "1e9"}


@pytest.mark.timeout(400)
def test_two_thousand_requests_get_declared_answers(tmp_path: Path) -> None:
    """No 5xx that is not declared, no body that the schema does not allow, nothing valid refused and nothing invalid taken."""
    command = ("-m", "core", "serve", "--port", "{port}")
    with ConsoleProcess(tmp_path / "data", command=command, env=AT_ONCE) as serve:
        serve.wait_ready()
        fuzzer = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{serve.url}/api/openapi.json",
            "--max-examples", "380", "--phases", "examples,coverage,fuzzing", "--seed", "1",
            "--exclude-checks", "unsupported_method,ignored_auth", "--request-timeout", "15", "--no-color",
        ]  # fmt: skip
        run = subprocess.run(fuzzer, capture_output=True, text=True, check=False, cwd=tmp_path)

        assert run.returncode == 0, run.stdout[-4_000:]
        generated = re.search(r"(\d+) generated", run.stdout)
        assert generated is not None
        assert int(generated[1]) >= REQUESTS
        assert serve.status("/readyz") == 200
