"""Who feels a breach and what it takes from them, out of the recorder, in words that name what people ask for."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from core import runtime
from core.api import build_routes
from core.database.queries import QUERIES_FILE
from core.monitor import Recorder
from core.platform.felt import FAILED_SECONDS, Measured, felt_now, lost_seconds
from core.platform.felt_words import KINDS, QUERIES, ROUTES, part_of
from tests.monitor.alerts.scenes import RULES, only
from tests.monitor.manual_clock import START, ManualClock

API, ERRORS = only("api_p95")[0], only("api_errors")[0]


@pytest.fixture
def measured() -> Measured:
    """Ten seconds: of sixty lead lists each fifth takes 600 ms, of sixty searches none; six searches fail."""
    clock = ManualClock()
    made = Recorder(clock.steady)
    for second in range(10):
        clock.advance(1)
        for number in range(6):
            slow = second * 6 + number < 12
            made.record("api_request_seconds", 0.6 if slow else 0.01, ("/api/leads",))
            made.record("api_request_seconds", 0.01, ("/api/properties",))
        if second < 6:
            made.count("api_errors", 1, ("/api/properties", "5xx"))
        made.fold()
    return lambda metric, window_seconds: made.cut(metric, window_seconds)[1]


def test_the_worst_route_is_named_with_its_own_share(measured: Measured) -> None:
    """Twelve of sixty lead lists, not of all requests; what fails is said to fail."""
    felt, failed = felt_now(measured, API), felt_now(measured, ERRORS)

    assert felt is not None
    assert failed is not None
    assert (felt.count, felt.samples, felt.words) == (12, 120, "1 in 5 lead lists slow")
    assert failed.words == "1 in 10 property searches fail"
    assert felt_now(lambda _metric, _seconds: [], API) is None
    assert felt_now(measured, replace(API, minimum_samples=121)) is None


def test_time_lost_is_what_lies_beyond_the_target(measured: Measured) -> None:
    """Half a second of each slow list, to the 1 % of the buckets; ten seconds of each failure; an outage's own length."""
    assert lost_seconds(measured, API, START, START + 10) == pytest.approx(12 * 0.5, rel=0.02)
    assert lost_seconds(measured, API, START + 63, START + 70) == 0  # Before the window that made it a breach.
    assert lost_seconds(measured, ERRORS, START, START + 10) == 6 * FAILED_SECONDS
    assert lost_seconds(measured, only("redis")[0], START, START + 90) == 90
    assert lost_seconds(measured, only("cpu")[0], START, START + 90) == 0


@pytest.mark.parametrize(
    ("felt", "samples", "words"),
    [
        (1, 12, "1 in 12 lists"), (1, 1_200, "1 in 1,200 lists"), (3, 10, "1 in 3 lists"), (4, 10, "2 in 5 lists"),
        (5, 10, "half of the lists"), (2, 3, "2 in 3 lists"), (9, 10, "9 in 10 lists"), (10, 10, "all lists"),
    ],
)  # fmt: skip
def test_a_share_is_said_in_small_numbers(felt: int, samples: int, words: str) -> None:
    """As one says it aloud."""
    assert part_of(felt, samples, "lists") == words


def test_everything_that_can_be_slow_has_a_name() -> None:
    """Each route under /api, each query that reads the platform's tables, and each rule that counts who felt it."""
    paths = {path for route in build_routes(runtime.get) if (path := getattr(route, "path", "")).startswith("/api/")}
    blocks = re.split(r"^-- name: ", QUERIES_FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    nouns = re.compile(r"\{(leads|properties|lead_interactions|markets|market_data)\}")
    reading = {block.split()[0].partition(".")[0] for block in blocks if nouns.search(block)}

    assert paths - {"/api/{path:path}"} == set(ROUTES)
    assert reading - set(QUERIES) == set()
    assert {rule.name for rule in RULES if rule.kind in ("p95", "mean", "share")} == set(KINDS)
