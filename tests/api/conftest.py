"""Fixtures of the API's tests: a platform with rows, and a client of the routes over running services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import runtime
from core.api import build_routes
from core.services import build_services
from core.settings import Settings
from tests.support import wait_until


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    """A client of the routes over services that are ready."""
    with runtime.use(build_services(settings)) as running:
        wait_until(lambda: running.services.overview.readiness().state == "fine")
        yield TestClient(Starlette(routes=build_routes(runtime.get)))
