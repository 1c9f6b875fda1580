"""`python -m core generate`: synthetic leads, interactions and listings, added to what is there."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:  # the generator and the services are loaded by `run`: the other commands need not wait for them
    from core.operations import Started, Work
    from core.services import Services


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("generate", help="add synthetic rows")
    parser.add_argument("--leads", type=int, default=0, metavar="N")
    parser.add_argument("--interactions", type=int, default=0, metavar="N", help="they belong to the new leads")
    parser.add_argument("--properties", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, help="equal seeds add equal people again; one is drawn when left out")
    parser.add_argument("--target", metavar="NAME", help="the target's name, typed to allow one that is not embedded")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Generate; 0 done, 1 failed, 2 usage, 3 PostgreSQL is down, 130 cancelled."""
    from core.cli.operator import operator  # noqa: PLC0415 - see above
    from core.cli.running import run_operation  # noqa: PLC0415
    from core.errors import SampleDataError, UsageError  # noqa: PLC0415
    from core.sample import SampleSize  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415
    from core.target import require_target  # noqa: PLC0415

    require_target(Settings.from_env(), options.target)
    try:
        size = SampleSize(options.leads, options.interactions, options.properties)
    except SampleDataError as error:
        raise UsageError(str(error), error.next_step) from None
    if not size.leads + size.properties:
        raise UsageError("Nothing to generate.", "Say how many: --leads N --interactions N --properties N")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    if seed < 0:
        raise UsageError("A seed is 0 or more.", "Choose another --seed, or leave it out.")

    async def start(services: Services, wrap: Callable[[Work], Work]) -> Started:
        return await services.data.start_generate(size, seed, operator=operator(), typed=options.target, wrap=wrap)

    result = run_operation(start)
    sys.stdout.write(
        orjson.dumps({"ok": True, "data": result, "error": None}).decode() + "\n" if options.json else _told(result)
    )
    return 0


def _told(result: Mapping[str, Any]) -> str:
    tables = ("markets", "market_data", "leads", "lead_interactions", "properties")
    counts = ", ".join(f"{result[name]:,} {name}" for name in tables if result[name])
    return (
        f"{result['rows']:,} rows added in {result['copy_seconds']:.1f} s ({result['rows_per_second']:,.0f} rows/s): {counts}\n"
        f"Statistics gathered in {result['analyze_seconds']:.1f} s. Seed {result['seed']}.\n"
    )
