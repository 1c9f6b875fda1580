"""`python -m core import`: a CSV file into the platform's tables, all good rows or none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from core.errors import UsageError

if TYPE_CHECKING:  # the importer and the services are loaded by `run`: the other commands need not wait for them
    from core.importer import ImportRequest
    from core.operations import Started, Work
    from core.services import Services

KINDS = ("properties", "leads", "interactions", "market-data")
EPILOG = """examples:
  python -m core import properties listings.csv --market austin --dry-run
  python -m core import leads export.csv --market dallas --map external_id=ID --map status=:new
  python -m core import market-data txhousing.csv --preset txhousing
"""


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import", help="import a CSV file", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path, help="CSV file, also .gz")
    parser.add_argument("--market", metavar="SLUG", help="the market of all rows; or map a column: --map market=COLUMN")
    parser.add_argument("--create-market", metavar="NAME,ST", help="make the market if there is none, such as 'Waco, TX'")
    parser.add_argument("--preset", metavar="NAME", help="the mapping of a known file; a wrong name lists them")
    parser.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN",
        help="also FIELD=:VALUE, FIELD=#PREFIX (row number), FIELD= (leave out); the rest is found by the columns' names",
    )  # fmt: skip
    parser.add_argument("--word", action="append", default=[], metavar="FIELD:WORD=MEANING", help="such as status:yes=won")
    parser.add_argument("--delimiter", help="one character or tab; found when left out")
    parser.add_argument("--encoding", help="such as cp1252; found when left out")
    parser.add_argument("--date-format", help="such as %%d/%%m/%%Y; asked for where it cannot be told")
    parser.add_argument("--decimal", choices=(".", ","), default=".", help="the decimal sign of numbers")
    parser.add_argument("--rejected", type=Path, metavar="PATH", help="where rejected rows go; beside the file when left out")
    parser.add_argument("--dry-run", action="store_true", help="count what would become of each row and load nothing")
    parser.add_argument("--target", metavar="NAME", help="the target's name, typed to allow one that is not embedded")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Import; 0 done, 1 the file is at fault, 2 usage, 3 PostgreSQL is down, 130 cancelled."""
    from core import importer  # noqa: PLC0415 - see above
    from core.cli.operator import operator  # noqa: PLC0415
    from core.cli.running import run_operation  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415
    from core.target import require_target  # noqa: PLC0415

    settings = Settings.from_env()
    require_target(settings, options.target)
    request = _request(options, settings.data_dir / "rejected")
    seen = importer.preview(request)  # Refuses a file or a mapping that cannot work before a server is started.
    sys.stderr.write(_read_as(seen.mapping, seen.dialect.encoding, seen.dialect.delimiter))

    async def start(services: Services, wrap: Callable[[Work], Work]) -> Started:
        return await services.data.start_import(request, operator=operator(), typed=options.target, wrap=wrap)

    result = run_operation(start)
    sys.stdout.write(
        orjson.dumps({"ok": True, "data": result, "error": None}).decode() + "\n" if options.json else _told(result)
    )
    return 0


def _request(options: argparse.Namespace, fallback: Path) -> ImportRequest:
    from core.importer import ImportRequest, rejected_path  # noqa: PLC0415

    path: Path = options.file.absolute()
    if options.rejected is not None and not options.rejected.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {options.rejected.parent}.", "Name a place for the rejected rows that exists.")
    return ImportRequest(
        kind=options.kind,
        path=path,
        name=path.name,
        mapping=tuple(options.map),
        preset=options.preset,
        market=options.market,
        create_market=options.create_market,
        delimiter=options.delimiter,
        encoding=options.encoding,
        date_format=options.date_format,
        decimal=options.decimal,
        words=tuple(options.word),
        rejected_path=options.rejected.absolute() if options.rejected else rejected_path(path, fallback),
        dry_run=options.dry_run,
    )


def _read_as(mapping: Any, encoding: str, delimiter: str) -> str:
    parts = "  ".join(f"{item.field}={item.origin}" for item in mapping)
    return f"Read as {encoding}, delimiter {delimiter!r}.\nMapping: {parts}\n"


def _told(result: Mapping[str, Any]) -> str:
    """The report as a person reads it."""
    would = "would be " if result["dry_run"] else ""
    speed = f"in {result['duration_seconds']:.1f} s ({result['rows_per_second']:,.0f} rows/s)"
    lines = [
        f"{result['read']:,} rows read from {result['file']} {speed}",
        f"{result['inserted']:,} {would}inserted into {result['table']}",
        f"{result['repeated_in_file']:,} repeat a row of the file, {result['already_there']:,} are there already",
        f"{result['rejected']:,} rejected" + (f", written to {result['rejected_path']}" if result["rejected_path"] else ""),
        *(f"  line {item['line']:,}: {item['reason']}" for item in result["reasons"][:5]),
        *(f"Market made: {name}" for name in result["markets_created"]),
        *(f"Note: {note}" for note in result["notes"]),
    ]
    return "\n".join(lines) + "\n"
