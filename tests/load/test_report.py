"""The report: exact figures, an honest verdict, and the same after a trip through JSON."""

from __future__ import annotations

from dataclasses import asdict, replace

import orjson
import pytest

from core.load.plan import Address, LoadPlan
from core.load.report import KindCount, LoadReport, Ran, Tally, report_of

PLAN = LoadPlan(address=Address("http", "127.0.0.1", 8501), users=100, think_seconds=5.0, duration_seconds=10.0)
RAN = Ran(
    elapsed_seconds=11.0, window_seconds=10.0, window_requests=199, window_cpu_seconds=1.0, stopped_early=False,
    planned=200, unfinished=0, connections=100, reconnects=3,
)  # fmt: skip


def _tally(lag_seconds: float = 0.001) -> Tally:
    """100 answers of 1 to 100 ms on one route, and one of each failure on the other."""
    tally = Tally(("GET /a", "GET /b"))
    tally.lags.extend([lag_seconds] * 200)
    for number in range(1, 101):
        tally.answered(0, 200, number / 1000)
    tally.answered(1, 404, 0.1)
    tally.failed(1, "timeout", 10.0)
    tally.failed(1, "refused", 0.0001)
    return tally


def _report(lag_seconds: float = 0.001, ran: Ran = RAN) -> LoadReport:
    return _tally(lag_seconds).report(PLAN, ran)


def test_quantiles_are_exact_and_by_route() -> None:
    """Linear between the ranks, as numpy has them; a refused connection is no latency, a timeout is one."""
    first, second = _report().routes

    assert first.latency.p50_seconds == pytest.approx(0.0505)
    assert first.latency.p95_seconds == pytest.approx(0.09505)
    assert (first.requests, first.errors, first.latency.max_seconds) == (100, 0, 0.1)
    assert (second.requests, second.errors, second.latency.count, second.latency.max_seconds) == (3, 3, 2, 10.0)
    assert _report().latency.count == 102


def test_errors_by_kind() -> None:
    """Each kind with its count, in a fixed order; the share is of all requests."""
    report = _report()

    assert report.errors_by_kind == (KindCount("http 404", 1), KindCount("refused", 1), KindCount("timeout", 1))
    assert report.error_share == pytest.approx(3 / 103)


def test_rate_is_of_the_window() -> None:
    """A late timeout after the end does not thin out the rate."""
    assert _report().achieved_rate == pytest.approx(19.9)
    assert _report().target_rate == 20.0


def test_littles_law_is_stated_with_its_terms() -> None:
    """N = X (R + Z) with the measured rate and mean."""
    report = _report()
    mean = report.latency.mean_seconds

    assert mean is not None
    assert report.users_by_littles_law == pytest.approx(19.9 * (mean + 5.0))
    assert report.littles_law == f"N = X (R + Z) = 19.9/s x ({mean:.4f} s + 5 s) = 102 users"


def test_a_generator_that_is_too_slow_refuses_to_judge() -> None:
    """More than 80 % of a core, or a P99 of the lag beyond 10 ms; at the limit the figures count."""
    assert _report().verdict == "counts"
    assert _report(lag_seconds=0.010).verdict == "counts"
    assert "10.1 ms" in _report(lag_seconds=0.0101).verdict_reason
    busy = replace(RAN, window_cpu_seconds=8.1)
    assert _report(ran=busy).verdict == "refused"
    assert _report(ran=busy).verdict_reason.startswith("Generator too slow to judge: it used 81% of a core, more than 80%.")


def test_json_round_trip() -> None:
    """What the command line writes is read back as the same report; what does not fit is none."""
    report = _report()
    values = orjson.loads(orjson.dumps(asdict(report)))

    assert report_of(values) == report
    assert report_of({**values, "failure": None}) == report
    assert report_of({"requests": 1}) is None
    assert report_of({**values, "latency": {"another": "shape"}}) is None


def test_nothing_at_all() -> None:
    """A load that was stopped before the first answer has no figures, and no division by zero."""
    none = replace(RAN, elapsed_seconds=0.0, window_seconds=0.0, window_requests=0, window_cpu_seconds=0.0, stopped_early=True)
    report = Tally(("GET /a",)).report(PLAN, none)

    assert (report.requests, report.error_share, report.latency.p95_seconds, report.achieved_rate) == (0, 0.0, None, 0.0)
