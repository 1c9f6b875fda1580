"""`python -m core analyze`: a lead judged by Claude and by the rules, stored or described; or many prepared ahead."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from core.cli.terminal import harmless

if TYPE_CHECKING:  # the services are loaded by `run`: the other commands need not wait for them
    from core.operations import Started, Work
    from core.platform.lead_analyses import AnalysedLead
    from core.platform.lead_facts import LeadFacts
    from core.platform.subjects import Subject
    from core.services import Services

ID_MOST_CHARACTERS = 100
WAYS = "Name a lead's id, or describe one with --lead-json or --lead-csv, or prepare many with --prepare."


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("analyze", help="judge a lead, or prepare many")
    parser.add_argument("lead", nargs="?", metavar="ID", help="the id of a stored lead")
    parser.add_argument(
        "--lead-json", metavar="FILE", help="a lead described as one JSON object; - reads stdin; nothing is stored"
    )
    parser.add_argument("--lead-csv", metavar="FILE", help="the same as a header and one row of CSV")
    parser.add_argument("--fresh", action="store_true", help="ask again where an answer is kept")
    parser.add_argument("--prepare", action="store_true", help="analyse the best open leads ahead, in the background lane")
    parser.add_argument("--market", metavar="SLUG", help="with --prepare: of one market")
    parser.add_argument("--min-score", type=int, default=0, metavar="N", help="with --prepare: of this score or more")
    parser.add_argument("--limit", type=int, default=1_000, metavar="N", help="with --prepare: so many leads (default 1000)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress on stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Analyse; 0 done, also where the rules stand in for Claude, 1 failed, 2 usage, 3 a server is down, 130 stopped."""
    from core.errors import UsageError  # noqa: PLC0415 - see above

    ways = [options.lead is not None, bool(options.lead_json), bool(options.lead_csv), options.prepare]
    if ways.count(True) != 1:
        raise UsageError(f"{'Two ways at once' if any(ways) else 'No lead'} in this command.", WAYS)
    if options.prepare:
        result = _prepared(options)
        _write(options, result, _prepared_lines(result))
        return 0
    found = _analysed(options)
    from core.cli.claude_figures import figures  # noqa: PLC0415
    from core.platform.claude_bodies import analysis_body  # noqa: PLC0415

    _write(options, {**analysis_body(found), **figures(found.answer)}, _lines(found))
    if found.failure is not None:
        sys.stderr.write(f"The rules stand alone: {found.failure.message}\n{found.failure.next_step}\n")
    return 0


def _analysed(options: argparse.Namespace) -> AnalysedLead:
    from core.cli.opened import run_opened  # noqa: PLC0415 - see above
    from core.cli.operator import operator  # noqa: PLC0415
    from core.errors import UsageError  # noqa: PLC0415

    facts = _described(options) if options.lead is None else None

    async def work(services: Services) -> AnalysedLead:
        subject = await _stored(services, options.lead) if facts is None else await services.subjects.described(facts)
        if subject is None:
            raise UsageError(f"There is no lead {options.lead[:100]!r}.", "GET /api/leads lists the best ones.")
        return await services.lead_analyses.analyse(subject, operator=operator(), fresh=options.fresh)

    return run_opened(work)


async def _stored(services: Services, lead_id: str) -> Subject | None:
    possible = lead_id.isprintable() and len(lead_id) <= ID_MOST_CHARACTERS  # Half of a surrogate pair is not printable.
    return await services.subjects.stored(lead_id) if possible else None


def _described(options: argparse.Namespace) -> LeadFacts:
    from core.errors import UsageError  # noqa: PLC0415 - see above
    from core.platform.described_lead import TEXT_MOST_CHARACTERS, parse_csv, parse_json  # noqa: PLC0415

    name = options.lead_json or options.lead_csv
    try:
        if name == "-":
            text = sys.stdin.read(TEXT_MOST_CHARACTERS + 1)
        else:
            with Path(name).open(encoding="utf-8-sig") as file:
                text = file.read(TEXT_MOST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}.", "Name a text file in UTF-8, or - for stdin.") from error
    return parse_json(text) if options.lead_json else parse_csv(text)


def _prepared(options: argparse.Namespace) -> Mapping[str, Any]:
    from core.cli.operator import operator  # noqa: PLC0415 - see above
    from core.cli.running import run_operation  # noqa: PLC0415
    from core.platform.preparing import Wanted  # noqa: PLC0415

    wanted = Wanted(market=options.market, min_score=options.min_score, limit=options.limit)

    async def start(services: Services, wrap: Callable[[Work], Work]) -> Started:
        return await services.preparing.start(wanted, operator=operator(), wrap=wrap)

    return run_operation(start)


def _write(options: argparse.Namespace, data: object, text: str) -> None:
    sys.stdout.write(orjson.dumps({"ok": True, "data": data, "error": None}).decode() + "\n" if options.json else text)


def _lines(found: AnalysedLead) -> str:
    from core.cli.claude_figures import REHEARSAL, figures_line  # noqa: PLC0415 - see above

    analysis, rules, ignored = found.analysis, found.rules, found.subject.facts.ignored
    who = f"Lead {found.subject.lead_id}" if found.subject.lead_id else "The described lead"
    words = f"price sensitivity: {analysis.price_sensitivity}, engagement: {analysis.engagement_level}"
    lines = [
        REHEARSAL if found.answer is not None and found.rehearsal else "",
        f"{who}: intent {analysis.intent_score} of 100, buys: {analysis.buying_timeline}, {words}  (source: {found.source})",
        *(f"  {number}. {text}" for number, text in enumerate(analysis.recommendations, start=1)),
        f"The rules alone: {rules.score} of 100",
        *(f"  {part.points:5.1f}  {part.title}: {part.fact}" for part in rules.parts if part.value is not None),
        f"Not known: {' '.join(rules.missing)}" if rules.missing else "",
        f"Not used: {', '.join(ignored)}" if ignored else "",
        figures_line(found.answer) if found.answer is not None else "",
    ]
    return harmless("".join(line + "\n" for line in lines if line))


def _prepared_lines(result: Mapping[str, Any]) -> str:
    from core.cli.claude_figures import REHEARSAL  # noqa: PLC0415 - see above

    counts = f"{result['asked']:,} asked, {result['kept']:,} kept already, {result['failed']:,} failed"
    lines = [
        REHEARSAL if result["rehearsal"] else "",
        f"{result['leads']:,} leads, {result['forms']:,} forms of them: {counts}; {result['cost_usd']:.4f} dollars.",
        *(f"  {count:,} times {kind}" for kind, count in result["errors"].items()),
    ]
    return "".join(line + "\n" for line in lines if line)
