"""Mapping: which column, constant or row number fills which field.

Owns the notation ('price=list_price', 'status=:sold', 'external_id=#row-', 'city=' to leave out), suggestions by column names,
and the check against the contract.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import ImportFileError
from core.importer.kinds import Field, Kind
from core.importer.reports import ImportRequest
from core.importer.words import plain

NOTATION = "Write field=column, field=:value or field=#prefix, and field= to leave a field out."
MEASURES = ("sales", "volume", "median_price", "listings", "inventory_months")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a field's value comes from: a column, a constant, or the number of the row behind a prefix."""

    kind: Literal["column", "constant", "row_number"]
    text: str

    def __str__(self) -> str:
        return {"column": "", "constant": ":", "row_number": "#"}[self.kind] + self.text


@dataclass(frozen=True, slots=True)
class Mapping:
    """The origin of each mapped field, in the order of the contract."""

    kind: Kind
    origins: tuple[tuple[str, Origin], ...]

    def get(self, name: str) -> Origin | None:
        """The origin of a field; None: not mapped."""
        return dict(self.origins).get(name)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    @property
    def parts(self) -> tuple[str, ...]:
        """The mapping as it is written."""
        return tuple(f"{name}={origin}" for name, origin in self.origins)


def resolve(kind: Kind, columns: Sequence[str], request: ImportRequest, preset: Sequence[str] = ()) -> Mapping:
    """The preset's mapping or else the suggested one, changed by what the request says; raises ImportFileError."""
    told = _parsed(kind, columns, (*preset, *request.mapping))
    chosen = {} if preset else suggest(kind, columns, taken=[str(origin) for origin in told.values() if origin])
    if request.market or request.create_market:
        for name in {"market", "state"} - told.keys():
            chosen.pop(name, None)
    merged = {**chosen, **told}
    order = [item.name for item in kind.fields]
    names = sorted(merged, key=lambda name: (order.index(name.partition(".")[0]), name))
    mapping = Mapping(kind, tuple((name, origin) for name in names if (origin := merged[name]) is not None))
    _check(mapping, request)
    return mapping


def suggest(kind: Kind, columns: Sequence[str], taken: Sequence[str] = ()) -> dict[str, Origin | None]:
    """Fields whose name or synonym is the name of a column; each column once, the field's own name first."""
    free = {plain(column): column for column in reversed(columns) if column not in taken}
    found: dict[str, Origin | None] = {}
    fields = [item for item in kind.fields if item.suggested and item.type != "details"]
    for spellings in (_own_name, _synonyms):
        for item in fields:
            column = next((free[name] for name in spellings(item) if name in free), None)
            if column is not None and item.name not in found:
                found[item.name] = Origin("column", column)
                del free[plain(column)]
    if "market" not in found:
        found.pop("state", None)
    if "year" in found or "month" in found:
        # A date column may stand beside them in another notation; year and month cannot be misread.
        (
            found.pop("date_recorded", None)
            if {"year", "month"} <= found.keys()
            else [found.pop(n, None) for n in ("year", "month")]
        )
    return found


def _own_name(item: Field) -> list[str]:
    return [item.name]


def _synonyms(item: Field) -> list[str]:
    return item.synonyms.split()


def _parsed(kind: Kind, columns: Sequence[str], parts: Sequence[str]) -> dict[str, Origin | None]:
    origins: dict[str, Origin | None] = {}
    for part in parts:
        name, sign, text = part.partition("=")
        name = name.strip()
        if not sign or not name:
            raise ImportFileError(f"{part!r} is not a part of a mapping.", NOTATION)
        kind.field(name)
        origins[name] = _origin(name, text, columns)
    return origins


def _origin(name: str, text: str, columns: Sequence[str]) -> Origin | None:
    if not text.strip():
        return None
    if text in columns or text.strip() in columns:
        return Origin("column", text if text in columns else text.strip())
    if text.startswith(":"):
        return Origin("constant", text[1:])
    if text.startswith("#"):
        if not name.endswith("external_id"):
            raise ImportFileError(f"{name} cannot be the number of the row.", "Only external ids can: external_id=#row-")
        return Origin("row_number", text[1:])
    near = difflib.get_close_matches(text, columns, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise ImportFileError(f"The file has no column {text!r}.", f"{hint}Its columns are: {', '.join(columns[:60])}.")


def _check(mapping: Mapping, request: ImportRequest) -> None:
    kind = mapping.kind
    missing = [item.name for item in kind.fields if item.required and item.name not in mapping]
    missing += [" or ".join(group) for group in kind.one_of if not any(name in mapping for name in group)]
    if missing:
        raise ImportFileError(
            f"{kind.title} need {', '.join(missing)}, which no column was found for.",
            f"Name a column or a value for each, such as --map {missing[0].split(' ')[0]}=COLUMN or --map "
            f"{missing[0].split(' ')[0]}=:VALUE.",
        )
    if needs_market(mapping):
        _check_market(mapping, request)
    if kind.name == "interactions" and "lead_id" in mapping and "lead_external_id" in mapping:
        raise ImportFileError("A lead is named twice: by lead_id and by lead_external_id.", "Map one of the two.")
    if kind.name == "market-data":
        _check_figures(mapping)
    if kind.identity and "external_id" not in mapping and not any(name in mapping for name in kind.identity):
        raise ImportFileError(
            "Nothing tells the rows of this file apart.",
            "Map external_id to a column, or to the row's number: --map external_id=#row-",
        )


def needs_market(mapping: Mapping) -> bool:
    """Whether each row must say its market: a lead's own id says it already."""
    return mapping.kind.name != "interactions" or "lead_external_id" in mapping


def _check_market(mapping: Mapping, request: ImportRequest) -> None:
    told = request.market or request.create_market
    if told and "market" in mapping:
        raise ImportFileError(
            f"The market is named twice: {told}, and {mapping.get('market')} of the file.",
            "Leave one out; --map market= leaves out the column.",
        )
    if not told and "market" not in mapping:
        raise ImportFileError("No market is named.", "Add --market SLUG, or map a column to it: --map market=COLUMN.")


def _check_figures(mapping: Mapping) -> None:
    wide = [name for name in MEASURES if name in mapping]
    if ("value" in mapping) != ("data_type" in mapping) or (wide and "value" in mapping):
        raise ImportFileError(
            "The figures are mapped in two ways, or in half of one.",
            f"Map data_type and value (one figure per row), or columns to {', '.join(MEASURES)}.",
        )
    if ("year" in mapping) != ("month" in mapping) or ("year" in mapping and "date_recorded" in mapping):
        raise ImportFileError("The month is mapped in two ways, or in half of one.", "Map date_recorded, or year and month.")
