"""`python -m core warm`: fill the cache by a plan, or say what that would take.

`python -m core operations pause|resume|cancel ID` hold, continue and end a run from another terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:  # the services are loaded by `run`: the other commands need not wait for them
    from core.cache.warming.estimate import WarmEstimate
    from core.cache.warming.plans import WarmPlan
    from core.operations import Started, Work
    from core.services import Services

COUNTED = {"loaded": "loaded", "already_warm": "already warm", "failed": "failed", "elsewhere": "loaded by another process"}
MEMORY = "Redis is filled; the memory of a process takes a value at its first read."


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("warm", help="fill the cache by a plan")
    parser.add_argument("plan", nargs="?", help="its name, as --list shows it")
    parser.add_argument("--list", action="store_true", help="the plans, and what each is for")
    parser.add_argument("--dry-run", action="store_true", help="keys, time and load; nothing is stored")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Warm; 0 done, 1 failed, 2 usage, 3 a server is down, 130 cancelled."""
    from core.cache.warming.plans import read_plans  # noqa: PLC0415 - see above
    from core.errors import UsageError  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415

    settings = Settings.from_env()
    plans = read_plans(settings.own_warm_plans, settings.cache_warm_schedule)
    if options.list:
        data: Any = {"items": [_plan_told(plan) for plan in plans]}
        _write(options, data, "".join(_plan_line(plan) for plan in plans))
        return 0
    if not options.plan:
        raise UsageError("No plan was named.", "`python -m core warm --list` shows the plans.")
    plan = plans[options.plan]
    if options.dry_run:
        estimate = _estimated(plan.name)
        _write(options, _estimate_told(estimate), _estimate_lines(plan, estimate))
    else:
        result = _ran(plan.name)
        _write(options, result, _result_lines(plan, result))
    return 0


def _ran(name: str) -> Mapping[str, Any]:
    from core.cli.operator import operator  # noqa: PLC0415 - see above
    from core.cli.running import run_operation  # noqa: PLC0415

    async def start(services: Services, wrap: Callable[[Work], Work]) -> Started:
        return await services.warming.start(name, operator=operator(), wrap=wrap)

    return run_operation(start)


def _estimated(name: str) -> WarmEstimate:
    import uvloop  # noqa: PLC0415 - see above

    from core.cli.running import SET_UP_TIMEOUT_SECONDS  # noqa: PLC0415
    from core.services import build_services  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415

    async def estimate() -> WarmEstimate:
        async with build_services(Settings.from_env(), console=False) as services:
            await services.data.wait_set_up(SET_UP_TIMEOUT_SECONDS)
            return await services.warming.dry_run(name)

    try:
        return uvloop.run(estimate())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _write(options: argparse.Namespace, data: object, text: str) -> None:
    sys.stdout.write(orjson.dumps({"ok": True, "data": data, "error": None}).decode() + "\n" if options.json else text)


def _plan_told(plan: WarmPlan) -> dict[str, Any]:
    return {
        "name": plan.name, "title": plan.title, "note": plan.note, "origin": plan.origin, "source": plan.source,
        "order": plan.order, "limit": plan.limit, "ttl_seconds": plan.ttl_seconds, "priority": plan.priority,
        "ready_by": str(plan.ready_by) if plan.ready_by else None,
    }  # fmt: skip


def _plan_line(plan: WarmPlan) -> str:
    ready_by = f"  (ready by {plan.ready_by})" if plan.ready_by else ""
    return f"{plan.name:<24} {plan.title}{ready_by}\n{'':<24} {plan.note}\n"


def _estimate_told(estimate: WarmEstimate) -> dict[str, Any]:
    return {**asdict(estimate), "to_load": estimate.to_load, "spare_seconds": estimate.spare_seconds}


def _estimate_lines(plan: WarmPlan, estimate: WarmEstimate) -> str:
    lines = [
        f"{plan.title}: {estimate.keys:,} keys, {estimate.already_warm:,} of them warm, {estimate.to_load:,} to load.",
        _cost_line(estimate),
        *(
            f"  {item.family}: {item.keys:,} keys, {item.to_load:,} to load; a value lives {_span(item.least_life_seconds)}"
            f" to {_span(item.most_life_seconds)}."
            for item in estimate.families
        ),
        _expiry_line(estimate),
        f"{estimate.refused:,} entries of the plan are no keys: {estimate.reasons[0]}" if estimate.refused else "",
        f"{estimate.beyond_limit:,} more keys are beyond the plan's limit." if estimate.beyond_limit else "",
        f"{MEMORY} Nothing was stored now.",
    ]
    return "".join(line + "\n" for line in lines if line)


def _cost_line(estimate: WarmEstimate) -> str:
    if not estimate.to_load:
        return "There is nothing to load."
    if estimate.seconds is None or estimate.load_seconds_each is None:
        return "How long it takes is not known: no load was measured."
    basis = f"from a sample of {estimate.sampled} loads, two at a time" if estimate.basis == "sample" else "as in the last run"
    return (
        f"About {_span(estimate.seconds)} ({basis}): {estimate.loads_per_second:,.0f} loads/s of"
        f" {1000 * estimate.load_seconds_each:,.1f} ms, {_span(estimate.load_seconds or 0.0)} of the loader's time in all."
    )


def _expiry_line(estimate: WarmEstimate) -> str:
    if estimate.first_expires_at is None or estimate.last_expires_at is None:
        return ""
    line = f"Run now, they expire from {_clock(estimate.first_expires_at)} to {_clock(estimate.last_expires_at)}"
    spare = estimate.spare_seconds
    if spare is None or estimate.wanted_at is None:
        return f"{line}."
    wanted = f"wanted at {_clock(estimate.wanted_at)}"
    if spare < 0:
        return f"{line}; {wanted}: the first are gone by then. Run it later, or raise ttl_seconds."
    return f"{line}; {wanted}, {_span(spare)} before that."


def _result_lines(plan: WarmPlan, result: Mapping[str, Any]) -> str:
    if "done_by" in result:
        return f"{plan.title}: operation {result['done_by']} has done it.\n"
    counts = [f"{result[name]:,} {word}" for name, word in COUNTED.items() if result[name] or name != "elsewhere"]
    loader = f"{_span(result['load_seconds'])} of the loader's time for {result['size_bytes'] / 1e6:,.1f} MB"
    lines = [
        f"{plan.title}: {', '.join(counts)}, in {_span(result['seconds'])}.",
        f"{loader}; up to {result['highest_concurrency']} loads at a time.",
        *result["reasons"],
        MEMORY,
    ]
    return "".join(line + "\n" for line in lines)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
