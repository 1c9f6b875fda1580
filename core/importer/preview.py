"""Reading: a file opened with its dialect, mapping and plan; and the preview of its first rows.

Owns the sample that decides the order of days and months.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import ImportFileError
from core.importer.converter import RowConverter, RowFault
from core.importer.dialect import detect
from core.importer.kinds import Kind, kind_of
from core.importer.mapping import Mapping, resolve, suggest
from core.importer.markets import Market, Markets, market_of
from core.importer.plan import Plan, own_words
from core.importer.presets import preset_of, with_preset
from core.importer.reports import REASONS_SHOWN, Dialect, ImportRequest, Mapped, Preview, Rejection
from core.importer.source import Row, Source
from core.importer.values import NULL

SAMPLE_ROWS = 2_000
SAMPLE_CHARACTERS = 4 * 1024 * 1024  # Bounds the memory where rows are long.
SHOWN_ROWS = 10
SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that is known of a file before its rows are read."""

    kind: Kind
    request: ImportRequest
    dialect: Dialect
    columns: tuple[str, ...]
    mapping: Mapping
    plan: Plan
    sample: tuple[Row, ...]
    notes: tuple[str, ...]


def reading_of(request: ImportRequest, markets: Markets) -> Reading:
    """Detect, map and plan; raises ImportFileError for a file or a mapping that cannot work."""
    kind, preset = kind_of(request.kind), preset_of(request)
    request = with_preset(request, preset)
    _check_words(kind, request)
    dialect = detect(request.path, encoding=request.encoding, delimiter=request.delimiter)
    with Source(request.path, dialect) as source:
        columns = source.columns
        sample = _first_rows(source)
        notes = tuple(source.notes)
    if not sample:
        raise ImportFileError(f"{request.file_name} has a header but no rows.", "Choose a file with rows.")
    mapping = resolve(kind, columns, request, preset.mapping if preset else ())
    plan = Plan(mapping, columns, request, markets, [row.cells for row in sample if not row.fault])
    return Reading(
        kind=kind, request=request, dialect=dialect, columns=columns, mapping=mapping, plan=plan, sample=sample, notes=notes
    )


@dataclass(frozen=True, slots=True)
class Outline:
    """A file's columns, and the mapping that a preset or the names suggest, complete or not: field and origin as written."""

    dialect: Dialect
    columns: tuple[str, ...]
    suggested: tuple[tuple[str, str], ...]


def outline(request: ImportRequest) -> Outline:
    """What a form needs to ask for the mapping; raises ImportFileError for a file or a preset that cannot work."""
    kind, preset = kind_of(request.kind), preset_of(request)
    dialect = detect(request.path, encoding=request.encoding, delimiter=request.delimiter)
    with Source(request.path, dialect) as source:
        columns = source.columns
    if preset is not None:
        parts = (part.partition("=") for part in preset.mapping)
        return Outline(dialect, columns, tuple((name, text) for name, _, text in parts))
    found = suggest(kind, columns)
    return Outline(dialect, columns, tuple((name, str(origin)) for name, origin in found.items()))


def preview(request: ImportRequest, markets: Iterable[Market] | None = None) -> Preview:
    """The mapping and the first rows as they would be imported; reads at most 2,000 rows and no database."""
    known = Markets(_with_made(request, markets or ()), any_name=markets is None)
    reading = reading_of(request, known)
    converter = RowConverter(reading.plan)
    rows: list[dict[str, str | None]] = []
    rejected: list[Rejection] = []
    for number, row in enumerate(reading.sample, 1):
        try:
            lines, _ = converter.converted(row, number)
        except RowFault as fault:
            rejected.append(Rejection(row.line, str(fault)))
            continue
        if len(rows) < SHOWN_ROWS:
            rows += [_shown(converter.columns, line) for line in lines]
    used = {origin.text for _, origin in reading.mapping.origins if origin.kind == "column"}
    return Preview(
        kind=reading.kind.name,
        dialect=reading.dialect,
        columns=reading.columns,
        mapping=_mapped(reading),
        unused_columns=tuple(name for name in reading.columns if name not in used),
        rows=tuple(rows[:SHOWN_ROWS]),
        rows_seen=len(reading.sample),
        rejected_seen=len(rejected),
        rejected=tuple(rejected[:REASONS_SHOWN]),
        notes=(*reading.notes, *reading.plan.notes),
    )


def _first_rows(source: Source) -> tuple[Row, ...]:
    rows: list[Row] = []
    for row in source:
        rows.append(row)
        if len(rows) >= SAMPLE_ROWS or source.characters_read > SAMPLE_CHARACTERS:
            break
    return tuple(rows)


def _with_made(request: ImportRequest, markets: Iterable[Market]) -> list[Market]:
    made = [market_of(request.create_market, request.market)] if request.create_market else []
    return [*markets, *made]


def _check_words(kind: Kind, request: ImportRequest) -> None:
    for name, meanings in own_words(request.words).items():
        item = kind.field(name)
        for word in meanings.values():
            if word not in item.words:
                raise ImportFileError(
                    f"{name} cannot be {word!r}.", f"Its words are: {', '.join(item.words) or 'none, it is no field of words'}."
                )


def _mapped(reading: Reading) -> tuple[Mapped, ...]:
    cells = next((row.cells for row in reading.sample if not row.fault), ())
    lines = []
    for name, origin in reading.mapping.origins:
        item = reading.kind.field(name)
        index = reading.columns.index(origin.text) if origin.kind == "column" else -1
        example = cells[index] if 0 <= index < len(cells) else ""
        column = reading.plan.fields.get(name)
        try:
            becomes = column.read(cells, 1) if column is not None and cells else ""
        except ValueError as error:
            becomes = f"rejected: {error}"
        lines.append(
            Mapped(name, item.type, str(origin), item.required, _cut(example), _cut("" if becomes == NULL else becomes))
        )
    return tuple(lines)


def _shown(columns: tuple[str, ...], line: str) -> dict[str, str | None]:
    return {name: None if text == NULL else _cut(text) for name, text in zip(columns, line.split("\t"), strict=True)}


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
