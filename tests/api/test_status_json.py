"""The first line as data: what `python -m core status` asks for."""

from __future__ import annotations

from starlette.testclient import TestClient

from core import runtime
from core.platform.status import read_status


def test_status_as_data_is_what_the_console_knows(api: TestClient) -> None:
    """First line, servers and promises are those of the services, also after the way through JSON."""
    answer = api.get("/status.json")
    view, services = read_status(answer.json()), runtime.get().services
    promises = services.promises.view()

    assert answer.status_code == 200
    assert view.verdict.state == promises.verdict.state
    assert [item.title for item in view.dependencies] == [item.title for item in services.health.snapshot()]
    assert {item.state for item in view.dependencies} == {"up"}
    assert {item.rule for item in view.promises} <= {item.rule.name for item in services.alerts.view().rules}
    assert view.judged is True
