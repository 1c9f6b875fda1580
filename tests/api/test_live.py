"""The live route: shared bytes, honest age, and assets that are kept for ever."""

from __future__ import annotations

import gzip
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.api import Asset, build_console_routes, build_routes
from core.api.live import MAX_BODIES, MAX_SERIES
from core.errors import CoreError, DependencyDown
from core.monitor import History, Recorder
from core.monitor.history.codec import StoredKey
from core.monitor.history.history import ChartHistory
from core.monitor.history.reader import HistoryView
from tests.monitor.manual_clock import START, ManualClock


class _History:
    """Answers with the same view until told otherwise; remembers what it was asked for."""

    def __init__(self) -> None:
        self.view = HistoryView(histories=(), since=None, processes=0)
        self.error: CoreError | None = None
        self.age_seconds = 0.0
        self.asked: list[tuple[object, ...]] = []

    async def charts(self, keys: Sequence[StoredKey], window_seconds: int, process: int | None) -> ChartHistory:
        """As MetricHistory does."""
        self.asked.append((tuple(keys), window_seconds, process))
        if self.error is not None:
            raise self.error
        return ChartHistory(self.view, self.age_seconds)

    def answer(self, *counts: int) -> None:
        """Answer with the counts of one series from now on."""
        none = (None,) * len(counts)
        history = History(
            metric="requests", labels=("a",), window_seconds=21_600, step_seconds=60,
            times=tuple(60 * (place + 1) for place in range(len(counts))), counts=counts,
            rates=none, p50=none, p95=none, p99=none,
        )  # fmt: skip
        self.view = HistoryView(histories=(history,), since=120, processes=3)


@dataclass
class _Services:
    monitor: Recorder
    history: _History


@dataclass
class _Reach:
    services: _Services
    gate: _HereGate


class _HereGate:
    """The services live on the loop of whoever asks."""

    async def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Just do it."""
        return await work


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def recorder(clock: ManualClock) -> Recorder:
    """A recorder with 30 requests in its only second."""
    recorder = Recorder(clock.steady)
    for _ in range(30):
        recorder.record("api_request_seconds", 0.02, ("/api/leads",))
    clock.advance(2)
    recorder.fold()
    return recorder


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A file to serve."""
    path = tmp_path / "script.js"
    path.write_text("export const answer = 42;\n" * 100)
    return path


@pytest.fixture
def history() -> _History:
    """A history that holds nothing yet."""
    return _History()


@pytest.fixture
def client(recorder: Recorder, history: _History, script: Path) -> Iterator[TestClient]:
    """A client of the console's routes under a path of their own, with nothing else behind them."""
    reach: Any = _Reach(_Services(recorder, history), _HereGate())
    assets = [Asset("script-1.js", script), Asset("gone-1.js", script.with_name("gone.js"))]
    further = build_console_routes(lambda: reach, assets) + build_console_routes(lambda: reach, assets, "/console")
    with TestClient(Starlette(routes=build_routes(lambda: reach, further))) as client:
        yield client


def test_a_poll_brings_every_series_that_was_asked_for(client: TestClient) -> None:
    """Per series: the time of the first point, the step, and a value or null for each point."""
    answer = client.get("/api/live?window=300&series=api_request_seconds&series=api_request_seconds|/api/leads&series=unknown")

    body = answer.json()
    series = body["series"]["api_request_seconds"]
    assert set(body["series"]) == {"api_request_seconds", "api_request_seconds|/api/leads", "unknown"}
    assert series == body["series"]["api_request_seconds|/api/leads"]
    assert series["first_time"] + 149 * series["step_seconds"] == START + 2
    assert (series["count"][-1], series["rate"][-1]) == (30, 15.0)
    assert series["p95"][-1] == pytest.approx(0.02, rel=0.01)
    assert series["p99"][-1] is None
    assert sum(body["series"]["unknown"]["count"]) == 0


def test_without_names_every_metric_is_told(client: TestClient) -> None:
    """What there is to watch can be found out."""
    assert list(client.get("/api/live?window=3600").json()["series"]) == ["api_request_seconds"]


TOO_MANY = "&".join(["series=a"] * (MAX_SERIES + 1))


@pytest.mark.parametrize(
    "query", ["window=17", "window=", "window=-300", "window=%00", TOO_MANY, "window=21600&process=x", "process=-1"]
)
def test_what_cannot_be_asked_is_a_problem(client: TestClient, query: str) -> None:
    """400, with what can be asked."""
    answer = client.get(f"/api/live?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert "window=300" in answer.json()["next_step"]


def test_bytes_are_built_once_a_fold(client: TestClient, recorder: Recorder, clock: ManualClock) -> None:
    """Who has them is told 304, with the age of the data."""
    first = client.get("/api/live?window=300&series=api_request_seconds")
    clock.advance(3)
    again = client.get("/api/live?window=300&series=api_request_seconds", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["age"]) == (304, b"", "3")

    recorder.record("api_request_seconds", 0.02, ("/api/leads",))
    recorder.fold()
    later = client.get("/api/live?window=300&series=api_request_seconds", headers={"If-None-Match": first.headers["etag"]})
    assert (later.status_code, later.headers["age"]) == (200, "0")
    assert later.json() != first.json()


def test_it_is_compressed_for_who_takes_it(client: TestClient) -> None:
    """The same bytes, packed once."""
    plain = client.get("/api/live", headers={"Accept-Encoding": "identity"})
    with client.stream("GET", "/api/live", headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(packed.iter_raw())) == plain.content
    assert "content-encoding" not in plain.headers


def test_polls_are_not_what_they_show(client: TestClient, recorder: Recorder) -> None:
    """A page that watches does not move the numbers, and names out of addresses are not kept."""
    for number in range(MAX_BODIES + 5):
        client.get(f"/api/live?series=made_up_{number}")
    recorder.fold()

    assert recorder.total("api_request_seconds", 300).count == 30
    assert recorder.stats().series == 1


def test_an_asset_is_kept_for_ever(client: TestClient, script: Path) -> None:
    """Its name changes with its content, so nobody asks twice."""
    packed = client.get("/assets/script-1.js")
    plain = client.get("/assets/script-1.js", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-type"].startswith("text/javascript")
    assert packed.content == plain.content == script.read_bytes()


@pytest.mark.parametrize("name", ["gone-1.js", "other.js", "..%2F..%2Fpyproject.toml"])
def test_no_other_file_is_served(client: TestClient, name: str) -> None:
    """Neither one that is missing nor one outside of the list."""
    assert client.get(f"/assets/{name}").status_code == 404


def test_a_base_path_and_the_404_behind(client: TestClient) -> None:
    """The routes are there under the console's own path too, and the last route still catches the rest of /api."""
    assert client.get("/console/api/live").status_code == 200
    assert client.get("/console/assets/script-1.js").status_code == 200
    assert client.get("/api/nothing").status_code == 404


@pytest.mark.parametrize(("window", "step"), [(60, 1), (300, 2), (900, 10), (3_600, 10)])
def test_every_window_of_the_recorder_is_told(
    client: TestClient, recorder: Recorder, clock: ManualClock, window: int, step: int
) -> None:
    """In steps of its own, those that are over."""
    clock.advance(10)
    recorder.fold()

    series = client.get(f"/api/live?window={window}&series=api_request_seconds").json()["series"]["api_request_seconds"]

    assert (series["step_seconds"], len(series["count"]), sum(series["count"])) == (step, window // step, 30)


LONG = "/api/live?window=21600&series=requests|a"


def test_a_long_window_is_the_historys(client: TestClient, history: _History) -> None:
    """Of all processes or of one; with the moment since which there is anything."""
    history.answer(4, 5)

    body = client.get(f"{LONG}&process=17").json()
    client.get(LONG)

    assert history.asked == [((("requests", ("a",)),), 21_600, 17), ((("requests", ("a",)),), 21_600, None)]
    assert (body["window_seconds"], body["since"], body["processes"]) == (21_600, 120, 3)
    assert (body["series"]["requests|a"]["first_time"], body["series"]["requests|a"]["count"]) == (60, [4, 5])


def test_the_historys_bytes_are_built_once_an_answer(client: TestClient, history: _History) -> None:
    """Who has them is told 304, with the age of the answer; one that cannot be read is a problem with a next step."""
    history.answer(4, 5)
    first = client.get(LONG)
    history.age_seconds = 40.0
    again = client.get(LONG, headers={"If-None-Match": first.headers["etag"]})
    history.answer(4, 6)
    later = client.get(LONG, headers={"If-None-Match": first.headers["etag"]})
    history.error = DependencyDown("The console's store does not answer.")
    failed = client.get(LONG)

    assert (again.status_code, again.headers["age"]) == (304, "40")
    assert (later.status_code, later.json()["series"]["requests|a"]["count"]) == (200, [4, 6])
    assert (failed.status_code, failed.headers["content-type"]) == (503, "application/problem+json")
