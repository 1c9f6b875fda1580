"""Presets: mappings of known files, kept as data in `presets.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from core.errors import ImportFileError
from core.importer.reports import ImportRequest

PRESETS_FILE = Path(__file__).with_name("presets.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How one known file is imported; `note` says what its figures are and are not."""

    name: str
    kind: str
    title: str
    note: str
    mapping: tuple[str, ...]
    words: tuple[str, ...] = ()
    market: str | None = None


@cache
def presets() -> tuple[Preset, ...]:
    """All presets, in the order of the file."""
    tables = tomllib.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    return tuple(
        Preset(
            name=name,
            kind=table["kind"],
            title=table["title"],
            note=table["note"],
            mapping=tuple(table["mapping"]),
            words=tuple(table.get("words", ())),
            market=table.get("market"),
        )
        for name, table in tables.items()
    )


def preset_of(request: ImportRequest) -> Preset | None:
    """The preset that the request names; raises ImportFileError."""
    if request.preset is None:
        return None
    preset = next((item for item in presets() if item.name == request.preset), None)
    if preset is None:
        raise ImportFileError(
            f"There is no preset {request.preset!r}.", f"The presets are: {', '.join(item.name for item in presets())}."
        )
    if preset.kind != request.kind:
        raise ImportFileError(
            f"The preset {preset.name} is for {preset.kind}, not for {request.kind}.", f"Import it as {preset.kind}."
        )
    return preset


def with_preset(request: ImportRequest, preset: Preset | None) -> ImportRequest:
    """The request with the preset's market and words where it says nothing else."""
    if preset is None:
        return request
    market = request.market or (None if request.create_market else preset.market)
    return replace(request, market=market, words=(*preset.words, *request.words))
