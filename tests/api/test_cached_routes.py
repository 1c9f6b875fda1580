"""The routes over the cache: the same bytes from every tier, what the headers say, and what is left when a server is away."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime
from core.api import build_routes
from core.platform.bodies import json_body
from core.platform.leads import LeadSearch
from core.platform.markets import MARKET_LIST_KEY
from core.platform.properties import PropertySearch
from core.services import build_services
from core.settings import Settings
from tests.servers import behind, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.usefixtures("platform_rows")
LIST = "/api/leads?market=austin&limit=20"


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[TestClient, runtime.Running]]:
    """A client over services that are ready and hear the other processes."""
    with runtime.use(build_services(settings)) as running:
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        wait_until(lambda: running.services.cache.stats().link.state == "found")
        yield TestClient(Starlette(routes=build_routes(runtime.get))), running


def ask(running: runtime.Running, work: Any) -> Any:
    """Run a coroutine on the services' loop."""
    return running.gate.run(work, 5.0)


def from_memory(client: TestClient, path: str) -> Any:
    """The answer once memory has it."""
    wait_until(lambda: client.get(path).headers["x-cache"] == "hit; tier=memory")
    return client.get(path)


def test_a_cached_body_is_what_the_database_says(settings: Settings) -> None:
    """Byte for byte the rows of the uncached nouns: from the loader, from Redis and from memory."""
    with serving(settings) as (client, running):
        platform = running.services.platform
        leads = ask(running, platform.leads.list(LeadSearch(market="austin", limit=20)))
        homes = ask(running, platform.properties.search(PropertySearch(market="dallas", min_price=200_000.0, q="garage")))
        markets = ask(running, platform.markets.list())
        detail = ask(running, platform.leads.get("1"))
        for path, expected in {
            LIST: {"items": leads},
            "/api/properties?q=garage&min_price=2e5&market=dallas": {"items": homes},
            "/api/markets": {"items": markets},
            "/api/leads/1": {**dict(detail.lead), "interactions": detail.interactions},
        }.items():
            first, last = client.get(path), from_memory(client, path)
            assert first.headers["x-cache"] == "miss; reason=cold", path
            assert first.content == last.content == json_body(expected), path


def test_another_process_finds_it_in_redis(settings: Settings) -> None:
    """The same bytes, loaded by neither of them twice."""
    with serving(settings) as (client, _):
        body = client.get(LIST).content
    with serving(settings) as (client, _):
        answer = client.get(LIST)

    assert (answer.headers["x-cache"], answer.content) == ("hit; tier=redis", body)


def test_one_search_has_one_key(settings: Settings) -> None:
    """Parameters in any order, defaults said or left out, and numbers in another notation are answered from memory."""
    with serving(settings) as (client, _):
        from_memory(client, "/api/properties?market=austin&min_price=300000")
        for query in (
            "min_price=300000&market=austin", "min_price=300000.0&market=austin&limit=50", "market=%61ustin&min_price=3e5",
            "market=austin&min_price=300000&nobody=knows",
        ):  # fmt: skip
            assert client.get(f"/api/properties?{query}").headers["x-cache"] == "hit; tier=memory", query
        for query in ("market=austin", "market=austin&min_price=300000&q=", "market=austin&min_price=300000&limit=51"):
            assert client.get(f"/api/properties?{query}").headers["x-cache"] == "miss; reason=cold", query


def test_the_headers_say_what_the_cache_did(settings: Settings) -> None:
    """Outcome and tier, age in whole seconds, time in the cache; the body has none of it and shared caches keep nothing."""
    with serving(settings) as (client, _):
        answer = from_memory(client, LIST)

        assert answer.headers["age"].isdigit()
        assert answer.headers["server-timing"].startswith("cache;dur=")
        assert "app;dur=" in answer.headers["server-timing"]
        assert answer.headers["cache-control"] == "private, no-cache"
        assert set(answer.json()) == {"items"}
        assert "x-cache" not in client.get("/healthz").headers


def test_a_copy_that_holds_is_not_sent_again(settings: Settings) -> None:
    """304 without a body for its entity tag, among others or alone; the whole body for another tag."""
    with serving(settings) as (client, _):
        tag = client.get(LIST).headers["etag"]
        for asked in (tag, f'W/"other", {tag}'):
            answer = client.get(LIST, headers={"if-none-match": asked})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert client.get(LIST, headers={"if-none-match": 'W/"other"'}).status_code == 200


def test_head_has_the_headers_alone(settings: Settings) -> None:
    """The same entity tag and outcome as GET, and no body is loaded twice for it."""
    with serving(settings) as (client, _):
        tag = from_memory(client, LIST).headers["etag"]
        answer = client.head(LIST)

    assert (answer.status_code, answer.headers["etag"], answer.headers["x-cache"]) == (200, tag, "hit; tier=memory")


def test_a_packed_body_is_the_same_body(settings: Settings) -> None:
    """Packed for those who take it, plain for the others, in whatever order they come."""
    with serving(settings) as (client, _):
        bodies = []
        for encoding in ("gzip", "identity", "gzip", "identity"):
            with client.stream("GET", LIST, headers={"accept-encoding": encoding}) as answer:
                raw = b"".join(answer.iter_raw())
            packed = answer.headers.get("content-encoding") == "gzip"
            assert (packed, answer.headers["vary"]) == (encoding == "gzip", "Accept-Encoding")
            bodies.append(gzip.decompress(raw) if packed else raw)
    assert len(set(bodies)) == 1


def test_an_absence_is_remembered(settings: Settings) -> None:
    """An unknown lead or market is a 404 from the cache; what no id can be asks neither cache nor database."""
    with serving(settings) as (client, _):
        for path in ("/api/leads/999999999", "/api/markets/atlantis"):
            assert client.get(path).headers["x-cache"] == "miss; reason=cold"
            again = client.get(path)
            assert (again.status_code, again.headers["x-cache"].partition(";")[0]) == (404, "negative")
            assert again.json()["next_step"]
        for path in (f"/api/leads/{'9' * 101}", f"/api/markets/{'x' * 65}", "/api/leads/1%00"):
            answer = client.get(path)
            assert (answer.status_code, "x-cache" in answer.headers) == (404, False)


def test_an_interaction_is_seen_at_once(settings: Settings) -> None:
    """When the batch is answered, its leads are read anew, however their number is written; other leads stay."""
    with serving(settings) as (client, _):
        before = from_memory(client, "/api/leads/1").json()
        for path in ("/api/leads/01", "/api/leads/2", LIST):
            from_memory(client, path)
        event = {"lead_id": 1, "interaction_type": "call_answered", "details": {"call": "this one"}}
        assert client.post("/api/events", json={"events": [event]}).status_code == 202

        after = client.get("/api/leads/1")
        assert after.headers["x-cache"] == "miss; reason=invalidated"
        assert after.json()["interactions"][0]["details"] == {"call": "this one"}
        assert after.json()["last_interaction_at"] > before["last_interaction_at"]
        assert client.get("/api/leads/01").json() == after.json()
        for path in ("/api/leads/2", LIST):
            assert client.get(path).headers["x-cache"] == "hit; tier=memory"


def test_reads_work_without_redis(settings: Settings, redis_url: str, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """What memory had and what it had not, and events are taken; when Redis is back it is used again."""
    proxy = tcp_proxy(urlsplit(redis_url).path)
    database = redis_url.rpartition("db=")[2]
    with serving(replace(settings, redis_url=f"redis://127.0.0.1:{proxy.port}/{database}")) as (client, running):
        from_memory(client, LIST)
        proxy.cut()
        for path in (LIST, "/api/leads?limit=3", "/api/leads/1", "/api/markets", "/api/properties?q=garage"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["x-cache"].partition(";")[0] in ("hit", "miss", "bypass")) == (200, True)
        event = {"lead_id": 1, "interaction_type": "call_answered", "details": {"call": "during"}}
        assert client.post("/api/events", json={"events": [event]}).status_code == 202
        assert client.get("/api/leads/1").json()["interactions"][0]["details"] == {"call": "during"}
        proxy.restore()
        wait_until(lambda: running.services.cache.stats().link.state == "found")
        wait_until(lambda: client.get("/api/leads?limit=4").headers["x-cache"].startswith("hit"))
        assert client.get("/api/leads/1").json()["interactions"][0]["details"] == {"call": "during"}


def test_old_answers_stand_in_for_postgresql(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """What is fresh is a hit, what has expired is told to be stale, and what was never read is the declared 503."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    with serving(replace(settings, database_url=behind(proxy, str(settings.database_url)))) as (client, running):
        expected = client.get(LIST).content
        from_memory(client, "/api/markets")
        key = LeadSearch(market="austin", limit=20).key
        ask(running, running.services.cache.set(key, expected, ttl_seconds=0.05))
        wait_until(lambda: running.services.cache.peek(key) is None)
        proxy.cut()

        wait_until(lambda: client.get(LIST).headers["x-cache"].startswith("stale; reason="))
        assert client.get(LIST).content == expected
        assert client.get("/api/markets").headers["x-cache"] == "hit; tier=memory"
        cold = client.get("/api/leads?limit=9")
        assert (cold.status_code, cold.headers["retry-after"], "x-cache" in cold.headers) == (503, "2", False)
        proxy.restore()
        wait_until(lambda: client.get(LIST).headers["x-cache"].startswith(("miss", "hit")))


def test_a_program_reads_through_the_same_keys(settings: Settings) -> None:
    """`fetch` gives the body of the route, and what the route read is a hit for it."""
    with serving(settings) as (client, running):
        body = from_memory(client, "/api/markets").content

        assert ask(running, running.services.cache.fetch(MARKET_LIST_KEY)) == body
        assert ask(running, running.services.cache.fetch_read(MARKET_LIST_KEY)).outcome == "hit"
        assert len(orjson.loads(body)["items"]) == 5


def test_the_document_declares_the_headers(settings: Settings) -> None:
    """Each cached route tells X-Cache and Age of its success and of its absence, and the 304."""
    with serving(settings) as (client, _):
        paths = client.get("/api/openapi.json").json()["paths"]

    for path in ("/api/markets", "/api/markets/{slug}", "/api/leads", "/api/leads/{id}", "/api/properties"):
        responses = paths[path]["get"]["responses"]
        assert {"X-Cache", "Age", "ETag", "Server-Timing"} <= set(responses["200"]["headers"]), path
        assert "304" in responses
    assert "X-Cache" in paths["/api/leads/{id}"]["get"]["responses"]["404"]["headers"]
    assert "headers" not in paths["/healthz"]["get"]["responses"]["200"]
