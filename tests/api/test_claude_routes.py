"""The routes that ask Claude: what they answer, what they refuse, and that nobody pays for an answer that nobody waits for."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import errors, runtime
from core.api import build_routes
from core.api.claude_answers import claude_problem
from core.claude.rehearsal import Faults
from core.services import Services, build_services
from core.settings import Settings
from tests.console_process import free_port
from tests.servers import fetch_value
from tests.support import wait_until, wait_until_async

pytestmark = pytest.mark.usefixtures("platform_rows")
AT_ONCE: dict[str, Any] = {"first_token_seconds": 0.0, "tokens_per_second": float("inf")}
LEAD = {"budget": "300k-400k", "property_type": "condo", "stage": "hot", "interactions": 5, "last_activity": "2 days ago"}
LIMITS = {"rate_limited", "over_budget", "spend_limit"}
FOR_NOW = {"down", "overloaded", "timeout", "queue_full", "held", "cut_stream"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With time for the first ask of a process, which loads the SDK."""
    return replace(settings, claude_timeout_seconds=60.0)


@pytest.fixture
def claude(api: TestClient) -> TestClient:
    """The routes over a rehearsal without waits."""
    services().claude_parts.dials.change(**AT_ONCE)
    return api


def services() -> Services:
    """Those behind the client."""
    return runtime.get().services


def test_a_stored_lead_is_analysed_and_kept(claude: TestClient, database_url: str) -> None:
    """Made, then a hit with its age, then made again when asked to; both judgements, and nothing that names the person."""
    lead_id = fetch_value(database_url, "SELECT id FROM leads WHERE email IS NOT NULL ORDER BY score DESC LIMIT 1")
    person = fetch_value(database_url, f"SELECT ARRAY[name, email, phone] FROM leads WHERE id = {lead_id}")
    path = f"/api/leads/{lead_id}/analysis"
    made, kept = claude.post(path), claude.post(path, json={})

    body = made.json()
    assert (made.status_code, body["lead_id"], body["source"], body["rehearsal"]) == (200, lead_id, "rehearsal", True)
    assert 1 <= body["analysis"]["intent_score"] <= 100
    assert {part["name"] for part in body["rules"]["parts"]} >= {"engagement", "location"}
    assert set(body["canonical"]) == {"budget", "property_type", "stage", "interactions", "last_activity"}
    assert (body["prompt"]["name"], body["failure"], bool(body["model"])) == ("lead_analysis", None, True)
    assert not [word for word in person if word and word in made.text]
    assert made.headers["x-cache"] == "miss; reason=cold"
    assert re.match(r"claude-queue;dur=[\d.]+, claude-first-token;dur=[\d.]+, claude;dur=", made.headers["server-timing"])
    assert (kept.headers["x-cache"], kept.headers["age"]) == ("hit; tier=memory", "0")
    assert kept.headers["server-timing"].startswith("cache;dur=")
    assert [kept.json()[name] for name in ("analysis", "answered_at", "source")] == [
        body[name] for name in ("analysis", "answered_at", "source")
    ]
    assert claude.post(path, json={"fresh": True}).headers["x-cache"] == "miss; reason=fresh"
    assert [claude.post(f"/api/leads/{no}/analysis").status_code for no in ("0", "none", "9" * 200, "%00")] == [404] * 4


def test_a_described_lead_is_analysed_and_not_stored(claude: TestClient, database_url: str) -> None:
    """As a stored one; what is not known is named, and no row is added."""
    before = fetch_value(database_url, "SELECT count(*) FROM leads")
    answer = claude.post("/api/analysis", json={**LEAD, "market": "atlantis", "shoe_size": 43})

    body = answer.json()
    assert (answer.status_code, body["lead_id"], body["source"]) == (200, None, "rehearsal")
    assert body["canonical"]["stage"] == "hot"
    assert "shoe_size" in body["ignored"]
    assert "atlantis" in " ".join(body["ignored"])
    assert fetch_value(database_url, "SELECT count(*) FROM leads") == before


def test_every_field_that_cannot_be_read_is_named(claude: TestClient) -> None:
    """422 with all of them at once and what to write in their place."""
    answer = claude.post("/api/analysis", json={"budget": "cheap", "stage": "warmish", "interactions": 5})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "budget 'cheap'" in answer.json()["detail"]
    assert "stage 'warmish'" in answer.json()["detail"]
    assert "450000" in answer.json()["next_step"]


def test_rubbish_is_refused(claude: TestClient) -> None:
    """4xx with a reason, before anything is asked."""
    for path, content, status in (
        ("/api/analysis", b"", 400),
        ("/api/analysis", b"[1]", 400),
        ("/api/analysis", b"[" * 50_000, 400),
        ("/api/analysis", b'{"budget": "\\ud800"}', 400),
        ("/api/analysis", b'{"budget": "' + b"9" * 200_000 + b'"}', 413),
        ("/api/analysis", b"{}", 422),
        ("/api/analysis", b'{"interactions": ' + b"9" * 300 + b"}", 422),
        ("/api/leads/1/analysis", b'{"fresh": "yes"}', 400),
        ("/api/leads/1/analysis", b'{"cheap": true}', 400),
        ("/api/properties/1/description", b" " * 200_000, 413),
    ):
        answer = claude.post(path, content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), content[:40]
    assert claude.post("/api/analysis", content=b"{}", headers={"content-type": "text/csv"}).status_code == 415


def test_the_rules_stand_in_and_a_description_is_a_problem(claude: TestClient) -> None:
    """A refusal and an answer that was cut off: an analysis is 200 and says why; a description says the same as a problem."""
    described = claude.post("/api/properties/1/description")
    assert described.status_code == 200, described.text
    assert (described.json()["source"], described.json()["property_id"]) == ("rehearsal", 1)
    assert described.json()["text"]
    assert claude.post("/api/properties/0/description").status_code == 404

    for fault, kind in (("refuse", "refused"), ("truncate", "truncated")):
        services().claude_parts.dials.change(faults=Faults(**{fault: 1.0}))
        analysed, refused = claude.post("/api/analysis", json=LEAD), claude.post("/api/properties/2/description")
        body = analysed.json()
        assert (analysed.status_code, body["source"], body["failure"]["kind"]) == (200, "rules", kind)
        assert body["analysis"]["intent_score"] == body["rules"]["score"]
        assert (body["model"], body["answered_at"], "x-cache" in analysed.headers) == (None, None, False)
        assert (refused.status_code, refused.json()["kind"], bool(refused.json()["next_step"])) == (502, kind, True)
        stale = claude.post("/api/properties/1/description")
        assert (stale.status_code, stale.headers["x-cache"]) == (200, "hit; tier=memory")


def test_a_prompt_that_cannot_be_used(claude: TestClient) -> None:
    """A version in use with a variable that no listing fills: a problem that says so, and no fault of the route's."""

    async def use_another() -> None:
        library = services().claude_parts.prompts
        await wait_until_async(library.seeded.is_set)
        draft = (await library.in_use("property_description")).edited(template="Describe $nothing.")
        saved = await library.save(draft, based_on=1, author="anna")
        await library.use(draft.name, saved.version.version, "anna")

    runtime.get().gate.run(use_another(), 10.0)
    refused = claude.post("/api/properties/1/description")
    assert (refused.status_code, refused.json()["kind"]) == (502, "prompt")
    assert "nothing" in refused.json()["detail"]


def test_over_budget(settings: Settings) -> None:
    """Nothing is sent: the rules answer, and a description is 429 until the day ends."""
    with runtime.use(build_services(replace(settings, claude_budget_day_usd=0.0))) as running:
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        client = TestClient(Starlette(routes=build_routes(runtime.get)))
        assert client.post("/api/analysis", json=LEAD).json()["failure"]["kind"] == "over_budget"
        refused = client.post("/api/properties/1/description")
        assert (refused.status_code, refused.json()["kind"]) == (429, "over_budget")
        assert 0 < int(refused.headers["retry-after"]) <= 86_400


@pytest.mark.parametrize("error", errors.ClaudeError.__subclasses__(), ids=lambda error: error.kind)
def test_every_error_of_claude_has_a_status(error: type[errors.ClaudeError]) -> None:
    """Limits are 429, what passes 503, both with the time to wait; what would be the same again is 502 without one."""
    answer = claude_problem(error("No."))
    expected = 429 if error.kind in LIMITS else 503 if error.kind in FOR_NOW else 502
    assert (answer.status_code, "retry-after" in answer.headers) == (expected, expected != 502)
    assert claude_problem(errors.ClaudeDown("No.", retry_after_seconds=2.1)).headers["retry-after"] == "3"


def test_a_client_that_hangs_up_ends_its_call(settings: Settings) -> None:
    """Over a real connection: the call is under way, the client goes, and the call is over without an answer."""
    with runtime.use(build_services(settings)) as running, served() as port:
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        parts = running.services.claude_parts
        parts.dials.change(first_token_seconds=60.0)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /api/leads/1/analysis HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            wait_until(lambda: parts.scheduler.stats().in_flight == 1)
        wait_until(lambda: parts.scheduler.stats().in_flight == 0, timeout_seconds=5)
        assert running.services.claude_parts.stats().answers.rows.written == 0


@contextmanager
def served() -> Iterator[int]:
    """The routes behind a real server."""
    port = free_port()
    app = Starlette(routes=build_routes(runtime.get))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield port
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
