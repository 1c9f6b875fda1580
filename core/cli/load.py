"""`python -m core load`: users who ask the platform over HTTP for a while, and what they met.

Ends by itself, on Ctrl-C or SIGTERM, and when the process that started it is gone; the report comes in each case. Exit code 1
when more than 1 % of the requests failed: the platform promises fewer. A generator that was too slow is told by the verdict
and is no failure: the traffic was made.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from core.errors import LoadError
from core.settings import Settings

if TYPE_CHECKING:  # numpy and the parser are loaded by `run`: the other commands need not wait for them
    from core.load import LoadProgress, LoadReport
    from core.load.report import Latency

CANCELLED = 130


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("load", help="make traffic over HTTP and report what it met")
    parser.add_argument("--users", type=int, required=True, help="users at a time, 1 to 2,000")
    parser.add_argument("--think", type=float, required=True, help="mean seconds between two requests of a user, 0.1 to 600")
    parser.add_argument("--duration", type=float, required=True, help="seconds, 1 to 3,600")
    parser.add_argument("--url", help="base URL of the platform's API; the console of HOST and PORT when left out")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same requests")
    parser.add_argument("--events", action="store_true", help="also write analytics events, one request in twenty")
    parser.add_argument("--target", metavar="NAME", help="the target's name, typed to allow one that is not embedded")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress as JSON lines on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the load; 0 done, 1 too many errors, 130 stopped by a signal."""
    import uvloop  # noqa: PLC0415 - see above

    from core.load import Address, LoadPlan, base_url, make_load  # noqa: PLC0415

    settings = Settings.from_env()
    plan = LoadPlan(
        address=Address.parse(options.url or base_url(settings)),
        users=options.users,
        think_seconds=options.think,
        duration_seconds=options.duration,
        seed=options.seed,
        events=options.events,
    )
    on_progress = _json_line if options.json else _line
    report = uvloop.run(make_load(settings, plan, options.target, on_progress))
    error = _error(report)
    _write(report, error, as_json=options.json)
    if report is None or report.stopped_early:
        return CANCELLED
    return 0 if error is None else 1


def _error(report: LoadReport | None) -> LoadError | None:
    from core.load.report import ERROR_SHARE_MOST  # noqa: PLC0415

    if report is None:
        return LoadError("Stopped before the first request.", "Start it again.")
    if report.stopped_early:
        message = f"Stopped after {report.elapsed_seconds:.0f} s of {report.duration_seconds:g} s."
        return LoadError(message, "The report is of the part that ran; start it again for a whole run.")
    if report.error_share > ERROR_SHARE_MOST:
        kinds = ", ".join(f"{item.count:,} x {item.kind}" for item in report.errors_by_kind)
        message = f"{report.error_share:.1%} of the requests failed: {kinds}."
        return LoadError(message, "Read the first line of the console's Overview, and the log of the server.")
    return None


def _write(report: LoadReport | None, error: LoadError | None, *, as_json: bool) -> None:
    if as_json:
        told = {"message": str(error), "next_step": error.next_step} if error else None
        body = {"ok": error is None, "data": asdict(report) if report else None, "error": told}
        sys.stdout.write(orjson.dumps(body).decode() + "\n")
    elif report is not None:
        sys.stdout.write(_table(report))
    if error is not None:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n{error.next_step}\n")


def _line(progress: LoadProgress) -> None:
    sys.stderr.write(
        f"{progress.elapsed_seconds:5.0f} s of {progress.duration_seconds:g} s   {progress.rate:8.1f} requests/s   "
        f"P95 {_ms(progress.p95_seconds)}   {progress.errors:,} errors\n"
    )
    sys.stderr.flush()


def _json_line(progress: LoadProgress) -> None:
    sys.stderr.write(orjson.dumps(asdict(progress)).decode() + "\n")
    sys.stderr.flush()


def _table(report: LoadReport) -> str:
    lines = [
        f"{report.users:,} users, think {report.think_seconds:g} s, for {report.duration_seconds:g} s: {report.url}",
        f"Rate       {report.achieved_rate:,.1f} of {report.target_rate:,.1f} requests/s; {report.littles_law}",
        f"Requests   {report.requests:,} of {report.planned:,}; {report.connections:,} connections, {report.unfinished:,} left",
        f"Errors     {report.errors:,} ({report.error_share:.2%})",
        *(f"           {item.count:,} x {item.kind}" for item in report.errors_by_kind),
        "",
        f"{'':26}{'requests':>10}{'errors':>8}{'P50':>12}{'P95':>12}{'P99':>12}{'max':>12}",
        _row("all", report.requests, report.errors, report.latency),
        *(_row(route.route, route.requests, route.errors, route.latency) for route in report.routes),
        "",
        f"Generator  {report.cpu_share:.0%} of a core, {report.cpu_seconds_per_request * 1e6:,.0f} us a request",
        f"           P99 of its lag {_ms(report.lag_p99_seconds)}",
        f"Verdict    {report.verdict_reason or 'the figures count'}",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, requests: int, errors: int, latency: Latency) -> str:
    values = (latency.p50_seconds, latency.p95_seconds, latency.p99_seconds, latency.max_seconds)
    return f"{name:26}{requests:>10,}{errors:>8,}" + "".join(f"{_ms(value):>12}" for value in values)


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.1f} ms"
