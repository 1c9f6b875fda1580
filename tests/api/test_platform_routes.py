"""The platform's routes: what they answer, what they refuse, and what they do while a server is away."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime
from core.api import build_routes
from core.services import build_services
from core.settings import Settings
from tests.servers import behind, execute, fetch_value, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.usefixtures("platform_rows")


def test_markets_come_with_their_latest_figures(api: TestClient) -> None:
    """Five markets, each with a value and its month for every kind of figure that it has."""
    items = {item["id"]: item for item in api.get("/api/markets").json()["items"]}

    assert set(items) == {"austin", "dallas", "houston", "san_antonio", "toledo"}
    assert items["austin"]["latest"]["median_price"]["date"] == "2015-07-01"
    assert items["toledo"]["latest"].keys() == {"median_price", "sales", "volume"}


def test_one_market_comes_with_its_series(api: TestClient) -> None:
    """All months of a kind, oldest first; an unknown slug is a 404."""
    body = api.get("/api/markets/austin").json()

    dates = [point["date"] for point in body["series"]["median_price"]]
    assert (dates[0], dates[-1], dates == sorted(dates)) == ("2000-01-01", "2015-07-01", True)
    assert api.get("/api/markets/atlantis").status_code == 404


def test_the_lead_list_is_by_score_and_bounded(api: TestClient) -> None:
    """Only open leads of the market at the score or above, best first, as many as asked for."""
    items = api.get("/api/leads", params={"market": "austin", "min_score": 40, "limit": 10}).json()["items"]

    scores = [item["score"] for item in items]
    assert (len(items), scores == sorted(scores, reverse=True), min(scores) >= 40) == (10, True, True)
    assert {item["market_id"] for item in items} == {"austin"}
    assert {item["status"] for item in items} <= {"active", "hot", "nurturing"}


def test_zero_is_a_value(api: TestClient) -> None:
    """`min_score=0` is not the default of 50, and `min_price=0` is not left out."""
    everybody = api.get("/api/leads", params={"min_score": 0, "limit": 500}).json()["items"]
    by_default = api.get("/api/leads", params={"limit": 500}).json()["items"]

    assert min(item["score"] for item in everybody) < 50 <= min(item["score"] for item in by_default)
    assert api.get("/api/properties", params={"min_price": 0, "max_price": 0}).json() == {"items": []}


def test_hot_leads_are_a_status(api: TestClient) -> None:
    """`status=hot` gives those to call now."""
    items = api.get("/api/leads", params={"status": "hot", "min_score": 0}).json()["items"]

    assert {item["status"] for item in items} == {"hot"}


def test_one_lead_comes_with_its_interactions(api: TestClient) -> None:
    """The newest first; an id that no lead can have is a 404 like one that none has."""
    lead_id = api.get("/api/leads", params={"limit": 1}).json()["items"][0]["id"]

    body = api.get(f"/api/leads/{lead_id}").json()

    times = [item["created_at"] for item in body["interactions"]]
    assert (body["id"], times == sorted(times, reverse=True), times[0].endswith("Z")) == (lead_id, True, True)
    for nobody in ("0", "-1", "abc", "9" * 19, "9" * 400, "%F0%9F%8F%A0", "1%00", "1 OR 1=1", "٣"):
        assert api.get(f"/api/leads/{nobody}").status_code == 404, nobody


def test_the_property_search_is_all_of_its_filters(api: TestClient) -> None:
    """Each listing found is everything that was asked for, dearest first."""
    wanted = {
        "market": "dallas",
        "min_price": 150_000,
        "max_price": 400_000,
        "property_type": "single_family",
        "min_bedrooms": 3,
    }
    items = api.get("/api/properties", params=wanted).json()["items"]

    assert items
    for item in items:
        assert (item["market_id"], item["property_type"]) == ("dallas", "single_family")
        assert (150_000 <= item["price"] <= 400_000, item["bedrooms"] >= 3) == (True, True)
    assert [item["price"] for item in items] == sorted((item["price"] for item in items), reverse=True)


def test_words_find_listings(api: TestClient) -> None:
    """Each listing found has the words, in any form; operators of tsquery are words like others."""
    items = api.get("/api/properties", params={"q": "garages"}).json()["items"]

    assert items
    assert all("garage" in (item["description"] or "").lower() for item in items)
    assert api.get("/api/properties", params={"q": "a & | ! <-> ' \" \\ ;--"}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "min_price=-1", "min_price=NaN", "min_price=inf", "min_price=1e400", "max_price=abc", "limit=0", "limit=201",
        "limit=9e99",
        "min_bedrooms=-1", "min_bedrooms=2.5", "property_type=castle", "market=", "q=%00", f"q={'x' * 201}",
        f"market={'x' * 65}",
    ],
)  # fmt: skip
def test_a_parameter_out_of_bounds_is_a_400_that_names_it(api: TestClient, query: str) -> None:
    """The problem says which field and why, and never repeats the value."""
    answer = api.get(f"/api/properties?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_events_are_stored_or_rejected_one_by_one(api: TestClient, database_url: str) -> None:
    """A batch stores what is valid and tells the rest by position; the lead's last contact moves with it."""
    events = [
        {"lead_id": 1, "interaction_type": "call_answered", "details": {"seconds": 30}},
        {"lead_id": 10**12, "interaction_type": "call_answered"},
        {"event_type": "search", "market": "austin", "user_id": "u1"},
        {"event_type": "search", "market": "atlantis"},
        {"lead_id": 1, "interaction_type": "telepathy"},
        {"lead_id": 1, "interaction_type": "email_open", "details": {"a": "b\x00"}},
        {"lead_id": "1; DROP TABLE leads", "interaction_type": "email_open"},
        {"nothing": "known"},
    ]
    answer = api.post("/api/events", json={"events": events})

    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    assert [item["index"] for item in answer.json()["rejected"]] == [1, 3, 4, 5, 6, 7]
    assert fetch_value(database_url, "SELECT count(*) FROM analytics_events") == 1
    assert fetch_value(database_url, "SELECT now() - last_interaction_at < interval '1 minute' FROM leads WHERE id = 1")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 400), (b"{", "application/json", 400), (b"[]", "application/json", 400),
        (b'{"events": []}', "application/json", 400), (b'{"events": 3}', "application/json", 400),
        (orjson.dumps({"events": [{}] * 1001}), "application/json", 400), (b"x" * (2**21 + 1), "application/json", 413),
        (b"a=1", "application/x-www-form-urlencoded", 415), (b"\xff\xfe", "application/json", 400),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_taken_is_refused(api: TestClient, content: bytes, kind: str, status: int) -> None:
    """Nothing of it is stored, and the status says whose fault it is."""
    answer = api.post("/api/events", content=content, headers={"content-type": kind})

    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_a_watched_platform_takes_no_events(settings: Settings) -> None:
    """In mode watch the answer is 403 with what to set, and reads go on."""
    watched = Settings(**{name: getattr(settings, name) for name in Settings.__slots__} | {"mode": "watch"})
    with runtime.use(build_services(watched)):
        client = TestClient(Starlette(routes=build_routes(runtime.get)))
        answer = client.post("/api/events", json={"events": [{"event_type": "x"}]})

        assert (answer.status_code, "MODE=operate" in answer.json()["next_step"]) == (403, True)
        assert len(client.get("/api/markets").json()["items"]) == 5


def test_a_mark_is_put_on_the_timeline(api: TestClient, database_url: str) -> None:
    """Now by default, or at the moment given; a hook that is sent twice makes one, and what is out of reach is refused."""
    body = {"kind": "deploy", "text": "1.2 <b>\n\u202ex", "who": "ci", "link": "https://example.com/1"}
    at = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
    answers = [api.post("/api/marks", json=body | {"at": at.isoformat()}) for _ in range(2)]
    late = [api.post("/api/marks", json=body | {"at": (at + timedelta(days=days)).isoformat()}) for days in (-14, 2)]

    assert [answer.status_code for answer in (*answers, *late)] == [201, 200, 400, 400]
    assert [answer.json()["stored"] for answer in answers] == ["new", "known"]
    assert datetime.fromisoformat(answers[0].json()["marked_at"]) == at
    assert (answers[0].json()["text"], answers[0].json()["marked_by"]) == ("1.2 <b> x", "ci")
    assert late[0].json()["errors"] == [{"field": "at", "reason": "Value error, is in the future, or more than 14 days ago"}]
    assert api.post("/api/marks", json={"text": "x", "link": "javascript:alert(1)"}).status_code == 400
    assert api.post("/api/marks", json={"text": "x" * 2**20}).status_code == 413
    assert fetch_value(database_url, "SELECT count(*) FROM console.marks") == 1


def test_every_answer_carries_id_and_time(api: TestClient) -> None:
    """A sane request id comes back, a rubbish one is replaced, and the time on the server is told."""
    answer = api.get("/api/markets", headers={"x-request-id": "abc-1"})
    other = api.get("/api/markets", headers={"x-request-id": "a b<script>"})

    assert (answer.headers["x-request-id"], "app;dur=" in answer.headers["server-timing"]) == ("abc-1", True)
    assert other.headers["x-request-id"] not in ("", "a b<script>")


def test_large_bodies_are_gzipped_for_those_who_take_it(api: TestClient) -> None:
    """The same JSON either way, and caches are told that it depends on the request."""
    with api.stream("GET", "/api/markets/austin", headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    plain = api.get("/api/markets/austin", headers={"accept-encoding": "identity"})

    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content) / 4


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_a_405_problem(api: TestClient, method: str) -> None:
    """The answer says what the route does take."""
    answer = api.request(method, "/api/leads")

    assert (answer.status_code, answer.headers["allow"], answer.json()["status"]) == (405, "GET, HEAD", 405)


def test_postgresql_away_is_a_declared_503(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The problem says what to do and when to come again; requests are counted by route; it heals by itself."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    url = behind(proxy, str(settings.database_url))
    with runtime.use(build_services(Settings(**fields | {"database_url": url}))) as running:
        client = TestClient(Starlette(routes=build_routes(runtime.get)))
        wait_until(lambda: client.get("/api/markets").status_code == 200)
        proxy.cut()
        unasked = (f"/api/leads?market=m{number}" for number in itertools.count())  # What was asked before is cached.
        wait_until(lambda: client.get(next(unasked)).status_code == 503)

        answer = client.get("/api/leads")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["next_step"]
        assert client.get("/healthz").status_code == 200
        proxy.restore()
        wait_until(lambda: client.get("/api/leads").status_code == 200)
        wait_until(lambda: running.services.monitor.snapshot(60).counted("api_errors", "/api/leads", "5xx") >= 1)


def test_the_tables_stay_as_they_are_for_every_injection(api: TestClient, database_url: str) -> None:
    """Parameters are values: SQL in them changes nothing and breaks nothing."""
    before = fetch_value(database_url, "SELECT count(*) FROM leads")
    for text in ("' OR '1'='1", "austin'; DROP TABLE leads; --", "$1", "{leads}", "[filters]", "\\", "%", "_", "🏠"):
        assert api.get("/api/leads", params={"market": text}).json() == {"items": []}
        assert api.get("/api/properties", params={"q": text}).status_code == 200
        assert api.get(f"/api/markets/{text}").status_code == 404

    assert fetch_value(database_url, "SELECT count(*) FROM leads") == before
    execute(database_url, "SELECT 1")


def test_a_watched_database_without_our_tables_is_a_declared_503(settings: Settings, empty_database_url: str) -> None:
    """The answer names what is missing; alive and ready are not affected by it."""
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    with runtime.use(build_services(Settings(**fields | {"database_url": empty_database_url}))):
        client = TestClient(Starlette(routes=build_routes(runtime.get)))
        answer = client.get("/api/leads")

        assert (answer.status_code, "leads" in answer.json()["detail"]) == (503, True)
        wait_until(lambda: client.get("/readyz").status_code == 200)
