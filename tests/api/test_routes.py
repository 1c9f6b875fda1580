"""The routes: alive, ready with each dependency, and honest about what does not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime
from core.api import build_routes
from core.services import build_services
from core.settings import Settings
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy


@pytest.fixture
def client() -> TestClient:
    """A client of the routes alone; the test says which services run, or none would be started for it."""
    return TestClient(Starlette(routes=build_routes(runtime.get)))


@pytest.fixture
def console(settings: Settings) -> Iterator[runtime.Running]:
    """Services on their own thread, as in the console."""
    with runtime.use(build_services(settings)) as running:
        yield running


def test_healthz_answers_whatever_else_is_down(client: TestClient, tmp_path: Path) -> None:
    """Alive needs no server."""
    nobody = "postgresql://x@127.0.0.1:9/x"
    away = Settings(database_url=nobody, console_database_url=nobody, redis_url="redis://127.0.0.1:9", data_dir=tmp_path)
    with runtime.use(build_services(away)):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_readyz_tells_each_dependency(client: TestClient, console: runtime.Running) -> None:
    """Ready is 200 with state, age, version and place of every server."""
    wait_until(lambda: client.get("/readyz").status_code == 200)

    body = client.get("/readyz").json()
    by_name = {item["name"]: item for item in body["dependencies"]}
    assert set(by_name) == {"postgresql", "redis", "console_store"}
    assert by_name["postgresql"]["version"].startswith("18")
    assert {item["state"] for item in body["dependencies"]} == {"up"}
    assert {step["state"] for step in body["setup"]} == {"done", "skipped"}


def test_readyz_is_503_and_says_what_to_do_while_redis_is_away(
    client: TestClient, settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]
) -> None:
    """A cut connection shows as down with a next step, and heals by itself."""
    path = str(settings.redis_url).removeprefix("unix://").partition("?")[0]
    proxy = tcp_proxy(path)
    changed = Settings(**{**_fields(settings), "redis_url": f"redis://127.0.0.1:{proxy.port}/0"})
    with runtime.use(build_services(changed)):
        wait_until(lambda: client.get("/readyz").status_code == 200)
        proxy.cut()
        wait_until(lambda: client.get("/readyz").status_code == 503)

        body = client.get("/readyz").json()
        assert body["reason"] == "Redis does not answer"
        assert "REDIS_URL" in body["next_step"]
        proxy.restore()
        wait_until(lambda: client.get("/readyz").status_code == 200)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/nothing/at/all"])
@pytest.mark.usefixtures("console")
def test_an_unknown_path_is_a_404_problem(client: TestClient, method: str, path: str) -> None:
    """Nothing under /api falls through to Streamlit's page, which would answer 200."""
    answer = client.request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404


def _fields(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Settings.__slots__}
