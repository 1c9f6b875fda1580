"""Import: from a file to a checked request: the file, how it is read, the mapping, the preview, the check and the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import streamlit as st

from core.errors import CoreError
from core.importer import KINDS, ImportRequest, Market, Preview, presets, preview
from core.operations import Operation
from core.platform.commands import import_line
from core.ui.data_panels import ask_target, draw_reasons, refusal, start
from core.ui.mapping_editor import edit_mapping
from core.ui.session import operator, run, services
from core.ui.text import plain

T = TypeVar("T")
DELIMITERS = {"": "found", ",": "comma", ";": "semicolon", "tab": "tab", "|": "pipe"}
ENCODINGS = ("", "utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1")
DATE_FORMATS = ("", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y")
NEW = "a new one"
CHECKED, GENERATION = "import_checked", "import_generation"


def import_form() -> None:
    """Everything from the file to the start; stops where the next thing to say is missing."""
    path, name = _file()
    asked = _what(path, name)
    if asked is None:
        return
    try:
        request = edit_mapping(_read_as(asked))
        seen = _remembered("import_preview", request, lambda: preview(request, _markets()))
    except CoreError as error:
        st.warning(f"{plain(str(error))}\n\n**Next:** {plain(error.next_step)}", icon=":material/warning:")
        return
    _preview(seen)
    st.markdown("The same in a terminal")
    st.code(import_line(_in_terminal(request)), language="bash", wrap_lines=True)
    _actions(request)


def _file() -> tuple[Path | None, str]:
    """The file: an upload kept aside, or a path on this machine."""
    limit = st.get_option("server.maxUploadSize")
    how = st.segmented_control(
        "File", ("Upload", "Path"), default="Upload", required=True, key="file", bind="query-params",
        help="A path is one of the machine that the console runs on.",
    )  # fmt: skip
    if how == "Path":
        text = st.text_input("Path", key="path", bind="query-params", placeholder="/data/export.csv").strip()
        return (Path(text).expanduser().absolute(), Path(text).name) if text else (None, "")
    generation = st.session_state.setdefault(GENERATION, 0)
    upload = st.file_uploader(
        f"CSV file, up to {limit} MB; for larger ones give a path, or use the command line", ("csv", "gz", "txt", "tsv"),
        key=f"upload-{generation}",
    )  # fmt: skip
    if upload is None:
        return None, ""
    kept: dict[str, Path] = st.session_state.setdefault("uploads", {})
    if upload.file_id not in kept or not kept[upload.file_id].is_file():
        for old in kept.values():
            services().data.uploads.remove(old)
        try:
            st.session_state["uploads"] = kept = {upload.file_id: services().data.uploads.save(upload.name, upload.getbuffer())}
        except CoreError as error:
            st.error(f"{error} {error.next_step}", icon=":material/error:")
            return None, ""
    return kept[upload.file_id], upload.name


def _what(path: Path | None, name: str) -> ImportRequest | None:
    """Kind, preset and market; None as long as there is no file."""
    kind_column, preset_column, market_column = st.columns(3)
    # No other labels than the values: the address carries what is shown.
    kind = kind_column.selectbox("Kind", list(KINDS), key="kind", bind="query-params")
    fitting = {item.name: item for item in presets() if item.kind == kind}
    preset = preset_column.selectbox(
        "Preset", ["", *fitting], key="preset", bind="query-params",
        format_func=lambda value: value or "None: by the columns' names",
    )  # fmt: skip
    market, made = _market(market_column, fitting[preset].market if preset in fitting else None)
    if preset in fitting:
        st.caption(f":material/info: **{plain(fitting[preset].title)}.** {plain(fitting[preset].note)}")
    if path is None:
        st.info("Choose a file. Nothing is loaded before you have seen what becomes of it.", icon=":material/upload_file:")
        return None
    return ImportRequest(
        kind=kind, path=path, name=name, preset=preset or None, market=market, create_market=made,
    )  # fmt: skip


def _market(column: st.delta_generator.DeltaGenerator, usual: str | None) -> tuple[str | None, str | None]:
    """The market of all rows, and the name of one to be made."""
    names = [market.id for market in _markets() or ()]
    first = f"That of the preset: {usual}" if usual else "From a column of the file"
    chosen = column.selectbox(
        "Market", ["", *names, NEW], key="market", bind="query-params", format_func=lambda value: value or first,
    )  # fmt: skip
    if chosen != NEW:
        return chosen or None, None
    return None, column.text_input("Name and state of the new market", key="new_market", placeholder="Waco, TX").strip() or "?"


def _read_as(request: ImportRequest) -> ImportRequest:
    """What was found out about the file, changed where the operator knows better."""
    with st.expander("How the file is read"):
        columns = st.columns(4)
        delimiter = columns[0].selectbox(
            "Delimiter", list(DELIMITERS), key="delimiter", format_func=DELIMITERS.__getitem__, persist_state="session"
        )
        encoding = columns[1].selectbox(
            "Encoding", ENCODINGS, key="encoding", format_func=lambda value: value or "found", persist_state="session"
        )
        date_format = columns[2].selectbox(
            "Dates", DATE_FORMATS, key="date_format", format_func=lambda value: value or "by their shape",
            accept_new_options=True, persist_state="session",
        )  # fmt: skip
        decimal = columns[3].selectbox("Decimal sign", (".", ","), key="decimal", persist_state="session")
    return replace(
        request, delimiter=delimiter or None, encoding=encoding or None, date_format=date_format or None, decimal=decimal
    )


def _preview(seen: Preview) -> None:
    delimiter = {"\t": "tab"}.get(seen.dialect.delimiter, seen.dialect.delimiter)
    st.markdown(f"**First rows as they would be stored** · read as {seen.dialect.encoding}, delimiter {plain(delimiter)}")
    if seen.rows:
        st.dataframe([dict(row) for row in seen.rows], hide_index=True, width="stretch")
    else:
        st.warning(f"None of the first {seen.rows_seen:,} rows could be imported.", icon=":material/warning:")
    for note in seen.notes:
        st.caption(f":material/info: {plain(note)}")
    if seen.unused_columns:
        st.caption(f"Columns that are not imported: {plain(', '.join(seen.unused_columns))}")
    draw_reasons([{"line": item.line, "reason": item.reason} for item in seen.rejected], seen.rejected_seen)


def _actions(request: ImportRequest) -> None:
    """First the check of the whole file, then the import of exactly what was checked."""
    checked = _checked(request)
    typed = ask_target("import_target")
    why_not = refusal(typed)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Check the whole file", key="import_check", icon=":material/fact_check:", disabled=bool(why_not),
            type="secondary" if checked else "primary", on_click=_start, args=(replace(request, dry_run=True), typed),
        )  # fmt: skip
        if checked is None or checked.result is None or not checked.result["inserted"]:
            st.caption(why_not or _why_no_import(request, checked))
            return
        count = checked.result["inserted"]
        with st.popover(f"Import {count:,} rows", icon=":material/input:", disabled=bool(why_not), key="import_confirm"):
            target = services().settings.target_name
            st.markdown(f"Insert **{count:,} rows** into **{checked.result['table']}** of **{plain(target)}**?")
            st.caption(
                f"{checked.result['rejected']:,} rows are rejected, {checked.result['already_there']:,} are there already and "
                f"stay as they are, {checked.result['repeated_in_file']:,} repeat another row of the file."
            )
            st.button("Import now", key="import_now", type="primary", on_click=_start, args=(request, typed))
        if why_not:
            st.caption(why_not)


def _why_no_import(request: ImportRequest, checked: Operation | None) -> str:
    if checked is not None:
        return "Nothing would be inserted."
    checks = [item for item in services().operations.running_here() if item.kind == "check"]
    if any(item.parameters.get("path") == str(request.path) for item in checks):
        return "The check is running: its progress is at the top of the page."
    return "The import can be started after the check."


def _checked(request: ImportRequest) -> Operation | None:
    """The check of exactly this request, once it is done."""
    kept = st.session_state.get(CHECKED)
    if kept is None or kept[0] != (request, _stamp(request.path)):
        return None
    operation = run(services().activity.operation(kept[1])).value
    return operation if operation is not None and operation.state == "done" else None


def _start(request: ImportRequest, typed: str | None) -> None:
    data = services().data
    if request.dry_run:
        plain_request = replace(request, dry_run=False)
        stamp = (plain_request, _stamp(request.path))
        work = data.start_import(request, operator=operator(), typed=typed)
        start(work, lambda operation: st.session_state.update({CHECKED: (stamp, operation.id)}))
        return
    asked = replace(request, rejected_path=data.uploads.rejected_path(request.file_name))
    start(data.start_import(asked, operator=operator(), typed=typed), lambda _operation: _forget_file())


def _forget_file() -> None:
    """The upload goes with its import: the form starts anew."""
    st.session_state[GENERATION] = st.session_state.get(GENERATION, 0) + 1
    st.session_state.pop("uploads", None)
    st.session_state.pop(CHECKED, None)


def _in_terminal(request: ImportRequest) -> ImportRequest:
    """An upload has no path that a terminal could use; there it is the operator's own file."""
    return replace(request, path=Path(request.file_name)) if services().data.uploads.owns(request.path) else request


def _markets() -> tuple[Market, ...] | None:
    return run(services().data.markets()).value


def _stamp(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


def _remembered(key: str, request: ImportRequest, load: Callable[[], T]) -> T:
    """The same question about the same file is answered once."""
    stamp = (request, _stamp(request.path))
    if st.session_state.get(key, (None,))[0] != stamp:
        st.session_state[key] = (stamp, load())
    answer: T = st.session_state[key][1]
    return answer
