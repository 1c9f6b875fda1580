"""The mapping editor: for each field the column that fills it, or a value or row number that is typed."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.importer import Field, ImportRequest, Outline, kind_of, outline
from core.importer.words import plain as plain_name

HELP = "A column of the file; or type :value for the same value in every row, #prefix for the number of the row."


def edit_mapping(request: ImportRequest) -> ImportRequest:
    """The request with the mapping as the operator leaves it; raises ImportFileError for a file that cannot be read."""
    found = outline(request)
    kind = kind_of(request.kind)
    suggested = dict(found.suggested)
    if request.market or request.create_market:
        suggested.pop("market", None)
        suggested.pop("state", None)
    shown = [item for item in kind.fields if item.type != "details"]
    missing = [item.name for item in shown if item.required and item.name not in suggested]
    used = sum(item.name in suggested for item in shown)
    stem = f"{request.kind}-{request.preset}-{bool(request.market)}-{hash((request.file_name, found.columns))}"
    with st.expander(f"Mapping: {used} of {len(shown)} fields are filled", expanded=bool(missing), key=f"mapping-{stem}"):
        with st.grid(4, min_column_width=180):
            parts = [f"{item.name}={_choose(item, found, suggested.get(item.name), stem)}" for item in shown]
        parts += _details(request, found, stem)
    known = dict(found.suggested) if request.preset else suggested
    return replace(request, mapping=tuple(_without_noise(parts, known)))


def _choose(item: Field, found: Outline, suggested: str | None, stem: str) -> str:
    options = list(found.columns)
    if suggested is not None and suggested not in options:
        options.append(suggested)
    label = f"{item.name} *" if item.required else item.name
    words = f" One of: {', '.join(item.words)}." if item.words else ""
    chosen = st.selectbox(
        label, options, index=options.index(suggested) if suggested is not None else None, key=f"map-{stem}-{item.name}",
        placeholder="not filled", accept_new_options=True, help=f"{item.help}. {HELP}{words}".lstrip(". "),
    )  # fmt: skip
    return chosen or ""


def _details(request: ImportRequest, found: Outline, stem: str) -> list[str]:
    """Further columns that are kept as JSON; those of a preset stay as it names them."""
    item = next((item for item in kind_of(request.kind).fields if item.type == "details"), None)
    if item is None:
        return []
    if request.preset:
        return [f"{name}={text}" for name, text in found.suggested if name.startswith(f"{item.name}.")]
    label = f"Columns that are kept in {item.name}"
    chosen = st.multiselect(label, found.columns, key=f"map-{stem}-{item.name}", placeholder="none")
    return [f"{item.name}.{plain_name(column)}={column}" for column in chosen]


def _without_noise(parts: list[str], suggested: dict[str, str]) -> list[str]:
    """Only what differs from the suggestion, so that the line for the terminal stays short."""
    pairs = [(part, *part.partition("=")[::2]) for part in parts]
    return [part for part, name, text in pairs if text != suggested.get(name, "")]
