"""LoadReport: what a load was, what came of it, and whether the generator was quick enough for its figures to count."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from core.load.plan import LoadPlan

# Beyond these the generator measures itself (Tene: coordinated omission; the figures are the usual advice for wrk2 and k6).
CPU_SHARE_MOST = 0.80
LAG_P99_MOST_SECONDS = 0.010
ERROR_SHARE_MOST = 0.01  # The platform promises fewer errors.
SLOW = "Leave it a free core and run it again."
RECENT = 5_000  # Answers behind the P95 of a progress line: cheap to sort while the load runs.


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the intended start to the end of the answer, of `count` requests; None when there are none."""

    count: int
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None

    @classmethod
    def of(cls, seconds: array[float]) -> Latency:
        """The exact quantiles of all values."""
        if not seconds:
            return cls(0, None, None, None, None, None)
        values = np.array(seconds)
        p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
        return cls(len(values), float(values.mean()), p50, p95, p99, float(values.max()))


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many requests failed in one way: `http 503`, `timeout`, `refused`, ..."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class RouteReport:
    """One route of the mix."""

    route: str
    requests: int
    errors: int
    latency: Latency


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is; the rate is that of answers since the start, the P95 that of the last 5,000."""

    elapsed_seconds: float
    duration_seconds: float
    requests: int
    planned: int
    rate: float
    p95_seconds: float | None
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The whole result; `latency` is of requests that were answered or timed out, failed connections are only in the errors."""

    url: str
    seed: int
    users: int
    think_seconds: float
    duration_seconds: float
    elapsed_seconds: float
    stopped_early: bool
    target_rate: float
    achieved_rate: float
    planned: int
    requests: int
    unfinished: int
    errors: int
    error_share: float
    errors_by_kind: tuple[KindCount, ...]
    latency: Latency
    routes: tuple[RouteReport, ...]
    connections: int
    reconnects: int
    lag_p99_seconds: float
    cpu_share: float
    cpu_seconds_per_request: float
    users_by_littles_law: float
    littles_law: str
    verdict: Literal["counts", "refused"]
    verdict_reason: str


def report_of(values: Mapping[str, Any]) -> LoadReport | None:
    """The report that was stored as JSON; None when another version wrote it and it does not fit."""
    try:
        nested: dict[str, Any] = {
            "errors_by_kind": tuple(KindCount(**item) for item in values["errors_by_kind"]),
            "latency": Latency(**values["latency"]),
            "routes": tuple(RouteReport(**{**item, "latency": Latency(**item["latency"])}) for item in values["routes"]),
        }
        return LoadReport(**{item.name: nested.get(item.name, values[item.name]) for item in fields(LoadReport)})
    except (KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run went, beside its answers; the window ends with the plan, and leaves out the wait for late answers."""

    elapsed_seconds: float
    window_seconds: float
    window_requests: int
    window_cpu_seconds: float
    stopped_early: bool
    planned: int
    unfinished: int
    connections: int
    reconnects: int


class Tally:
    """Collects outcomes at the price of a few appends."""

    def __init__(self, routes: tuple[str, ...]) -> None:
        self._routes = routes
        self._latencies = [array("d") for _ in routes]
        self._all = array("d")
        self._kinds: Counter[tuple[int, str]] = Counter()
        self._counts = [0] * len(routes)
        self.lags = array("d")
        self.errors = 0

    @property
    def requests(self) -> int:
        """Requests with an outcome."""
        return sum(self._counts)

    def answered(self, route: int, status: int, seconds: float) -> None:
        """An answer of any status; 400 and above is an error."""
        self._timed(route, seconds)
        if status >= 400:
            self._error(route, f"http {status}")

    def failed(self, route: int, kind: str, seconds: float) -> None:
        """No whole answer; a timeout counts with the time that was waited."""
        if kind in ("timeout", "malformed"):
            self._timed(route, seconds)
        else:
            self._counts[route] += 1
        self._error(route, kind)

    def recent_p95(self) -> float | None:
        """The P95 of the newest latencies."""
        return Latency.of(self._all[-RECENT:]).p95_seconds

    def report(self, plan: LoadPlan, ran: Ran) -> LoadReport:
        """Everything, once the run is over."""
        latency = Latency.of(self._all)
        requests = self.requests
        window_seconds = max(ran.window_seconds, 1e-9)
        rate = ran.window_requests / window_seconds
        lag = float(np.percentile(np.array(self.lags), 99)) if self.lags else 0.0
        share = ran.window_cpu_seconds / window_seconds
        response = latency.mean_seconds or 0.0
        held = rate * (response + plan.think_seconds)
        reason = _refusal(share, lag)
        return LoadReport(
            url=plan.address.url,
            seed=plan.seed,
            users=plan.users,
            think_seconds=plan.think_seconds,
            duration_seconds=plan.duration_seconds,
            elapsed_seconds=ran.elapsed_seconds,
            stopped_early=ran.stopped_early,
            target_rate=plan.target_rate,
            achieved_rate=rate,
            planned=ran.planned,
            requests=requests,
            unfinished=ran.unfinished,
            errors=self.errors,
            error_share=self.errors / requests if requests else 0.0,
            errors_by_kind=tuple(self._by_kind()),
            latency=latency,
            routes=tuple(self._by_route()),
            connections=ran.connections,
            reconnects=ran.reconnects,
            lag_p99_seconds=lag,
            cpu_share=share,
            cpu_seconds_per_request=ran.window_cpu_seconds / max(ran.window_requests, 1),
            users_by_littles_law=held,
            littles_law=f"N = X (R + Z) = {rate:.1f}/s x ({response:.4f} s + {plan.think_seconds:g} s) = {held:,.0f} users",
            verdict="refused" if reason else "counts",
            verdict_reason=reason,
        )

    def _timed(self, route: int, seconds: float) -> None:
        self._counts[route] += 1
        self._latencies[route].append(seconds)
        self._all.append(seconds)

    def _error(self, route: int, kind: str) -> None:
        self.errors += 1
        self._kinds[route, kind] += 1

    def _by_kind(self) -> list[KindCount]:
        kinds: Counter[str] = Counter()
        for (_, kind), count in self._kinds.items():
            kinds[kind] += count
        return [KindCount(kind, count) for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))]

    def _by_route(self) -> list[RouteReport]:
        errors: Counter[int] = Counter()
        for (route, _), count in self._kinds.items():
            errors[route] += count
        rows = zip(self._routes, self._counts, self._latencies, strict=True)
        return [RouteReport(name, count, errors[i], Latency.of(times)) for i, (name, count, times) in enumerate(rows)]


def _refusal(cpu_share: float, lag_p99_seconds: float) -> str:
    """Why the figures do not count; empty when they do."""
    if cpu_share > CPU_SHARE_MOST:
        return f"Generator too slow to judge: it used {cpu_share:.0%} of a core, more than {CPU_SHARE_MOST:.0%}. {SLOW}"
    if lag_p99_seconds > LAG_P99_MOST_SECONDS:
        most = LAG_P99_MOST_SECONDS * 1000
        return (
            f"Generator too slow to judge: P99 of its lag was {lag_p99_seconds * 1000:.1f} ms, more than {most:.0f} ms. {SLOW}"
        )
    return ""
