"""`python -m core status`: what it prints, where it gets that from, and what it exits with."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.cli.status import Screen, exit_code
from core.cli.status_lines import drawn
from core.cli.status_look import look
from core.monitor.alerts.incident import Incident
from core.monitor.alerts.records import AlertRecords, Unwritten
from core.platform.bodies import json_body
from core.platform.status import StatusDependency, StatusIncident, StatusPromise, StatusView
from core.services import Services
from core.settings import Settings
from tests.cli.command import variables
from tests.console_process import ROOT, free_port

NOW = datetime(2026, 11, 23, 6, 12, tzinfo=UTC)
FINE = StatusView(
    at=NOW,
    environment="local",
    state="fine",
    reason="2 promises kept",
    since=NOW - timedelta(hours=1),
    dependencies=(StatusDependency(title="Redis", where="embedded", state="up", since=NOW, age_seconds=1.0, version="7.4"),),
    promises=(StatusPromise(rule="api_p95", title="API P95", standing="kept", value="12 ms", target="< 100 ms"),),
)
BROKEN = StatusPromise(
    rule="api_p95", title="API P95", standing="broken", critical=True, value="182 ms", target="< 100 ms", trend="degrading",
    since=NOW - timedelta(minutes=9), felt="1 in 12 lead lists slow", lost_seconds=34.0, next_step="Build the index.",
)  # fmt: skip
PENDING = StatusPromise(rule="cpu", title="CPU", standing="pending", value="97 %", target="< 80 %")
INCIDENT = StatusIncident(
    key="i1", title="API P95 is 182 ms", level="critical", opened_at=NOW - timedelta(minutes=9), felt=120,
    acknowledged_by="ada", next_step="Look at the slow route.",
)  # fmt: skip
NOT_FINE = replace(
    FINE, state="not_fine", reason="1 in 12 lead lists slow", since=NOW - timedelta(minutes=9), next_step="Build the index.",
    promises=(BROKEN, PENDING, *FINE.promises), incidents=(INCIDENT,),
)  # fmt: skip
DOWN = replace(FINE, dependencies=(StatusDependency(title="Redis", where="embedded", state="down", error="refused"),))


class Terminal(io.StringIO):
    """A terminal as far as a program can ask."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def screen(out: io.StringIO, *, watch: bool = False, as_json: bool = False, rows: int = 40) -> Screen:
    """A screen of 80 columns."""
    return Screen(out, "http://here", as_json=as_json, watch=watch, size=lambda: os.terminal_size((80, rows)))


@contextmanager
def answering(settings: Settings, body: bytes) -> Iterator[Settings]:
    """Settings whose HOST and PORT give this body to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield replace(settings, port=server.server_port)
        server.shutdown()
        thread.join()


def test_what_is_broken_is_said_with_its_next_step() -> None:
    """Value, target, since when, trend, who feels it and what to do; then the incident with who looks after it."""
    text = "\n".join(drawn(NOT_FINE, "http://here", width=200, colour=False))
    assert text.startswith("Not fine, 9 min: 1 in 12 lead lists slow\nNext: Build the index.\n")
    assert "API P95 is 182 ms, promised is < 100 ms; since " in text
    assert "(9 min); degrading; 1 in 12 lead lists slow; users lost 34 s" in text
    assert "Kept: API P95 12 ms (< 100 ms)" in text
    assert "Beyond the limit, not yet for long enough: CPU 97 % (< 80 %)" in text
    assert "API P95 is 182 ms; 120 requests felt it; seen by ada\n    Next: Look at the slow route." in text


@pytest.mark.parametrize("width", [24, 60, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """A narrow terminal breaks lines between words; what others wrote cannot command it."""
    hostile = replace(NOT_FINE, reason="\x1b[2Jred\n\x9b31m")
    lines = drawn(hostile, "http://here", width=width, colour=False)
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)


def test_a_file_gets_a_block_for_each_change() -> None:
    """Ages and values move all the time and are no news; a state is."""
    out = io.StringIO()
    shown = screen(out, watch=True)
    shown.show(FINE)
    first = out.getvalue()
    older = replace(FINE.dependencies[0], age_seconds=3.0)
    shown.show(replace(FINE, at=NOW + timedelta(seconds=2), dependencies=(older,)))
    assert out.getvalue() == first
    shown.show(NOT_FINE)
    assert out.getvalue().count("Not fine, 9 min") == 1
    assert "\x1b" not in out.getvalue()


def test_a_terminal_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the top, no more lines than it has, and in colour unless NO_COLOR forbids it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "")
    coloured, plain = Terminal(), Terminal()
    screen(coloured, watch=True, rows=5).show(NOT_FINE)
    assert coloured.getvalue().startswith("\x1b[H\x1b[1;31mNot fine")
    assert coloured.getvalue().count("\n") == 4
    assert "more lines" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    screen(plain).show(NOT_FINE)
    assert "\x1b" not in plain.getvalue()


@pytest.mark.parametrize(("view", "code"), [(FINE, 0), (NOT_FINE, 1), (DOWN, 3), (replace(FINE, judged=False), 3)])
def test_the_exit_code_and_the_object_say_the_same(view: StatusView, code: int) -> None:
    """0 only where all is known to be well."""
    out = io.StringIO()
    screen(out, as_json=True).show(view)
    told = json.loads(out.getvalue())
    assert exit_code(view) == code
    assert told["ok"] is (code == 0)
    assert (told["error"] is None) is (code == 0)
    assert told["data"]["state"] == view.state


def test_the_console_is_asked_over_http(settings: Settings) -> None:
    """What it answers arrives as it was, also with a status of 503, and with fields that only another version knows."""
    body = json.loads(json_body(NOT_FINE)) | {"later": 1}
    with answering(settings, json.dumps(body).encode()) as there:
        assert look(there) == NOT_FINE


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"state": "new"}'])
def test_another_program_on_the_port_is_no_console(settings: Settings, body: bytes) -> None:
    """It is said so, and the servers are asked in its place."""
    with answering(settings, body) as there:
        view = look(there)
    assert "is no console" in view.reason
    assert [item.state for item in view.dependencies] == ["up", "up"]


async def test_without_a_console_the_servers_and_the_store_are_asked(
    services: Services, in_thread: Callable[[Settings], StatusView]
) -> None:
    """Incidents that nobody has ended are on record; a server that is away is down, with the reason."""
    went_on = Incident(key="i1", cause="api_p95", title="API P95 is 182 ms", level=2, opened_at=time.time() - 60)
    await AlertRecords(services.console_store).write(Unwritten(incidents={"i1": went_on}), 0.0)
    view = in_thread(replace(services.settings, port=free_port(), redis_url="redis://127.0.0.1:1"))
    assert [(item.title, item.state) for item in view.dependencies] == [("PostgreSQL", "up"), ("Redis", "down")]
    assert view.dependencies[1].error
    assert [item.title for item in view.incidents] == ["API P95 is 182 ms"]
    assert view.judged is False


@pytest.fixture
def in_thread() -> Callable[[Settings], StatusView]:
    """`look` beside a loop that runs: it has one of its own."""

    def asked(settings: Settings) -> StatusView:
        found: list[StatusView] = []
        thread = threading.Thread(target=lambda: found.append(look(settings)))
        thread.start()
        thread.join()
        return found[0]

    return asked


def test_watching_ends_with_ctrl_c(settings: Settings) -> None:
    """One object for each look, and exit code 130."""
    with answering(settings, json_body(FINE)) as there:
        watching = subprocess.Popen(
            [sys.executable, "-m", "core", "status", "--watch", "--json"], cwd=ROOT, text=True, start_new_session=True,
            env=variables(port=str(there.port), data_dir=str(there.data_dir)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with watching:
            assert watching.stdout is not None
            assert json.loads(watching.stdout.readline())["ok"] is True
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=20)
    assert watching.returncode == 130
