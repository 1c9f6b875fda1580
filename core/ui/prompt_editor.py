"""The editor of the prompts page: the text of the next version, what is wrong with it, and what it changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Template
from typing import Any, get_args

import streamlit as st

from core.claude.messages import Effort, Thinking
from core.claude.prompt_diff import diff
from core.claude.prompt_schema import parse_schema
from core.claude.prompts import MAX_TOKENS_MOST, NOTE_MAX, TEXT_MAX, TITLE_MAX, PromptVersion
from core.errors import UsageError
from core.platform.prompt_inputs import GIVES
from core.ui.prompt_actions import save
from core.ui.prompt_data import PromptView
from core.ui.prompt_diffs import draw_diffs
from core.ui.prompt_draft import discard, drafted, is_changed, model_words, widget, write, written
from core.ui.session import services
from core.ui.text import plain

SYSTEM_PIXELS, TEMPLATE_PIXELS, SCHEMA_PIXELS = 260, 170, 300
_JSON_PLACE = re.compile(r"line (\d+)")
_SCHEMA_PLACE = re.compile(r"The schema at ((?:/[^ /]+)+) ")


def draw_editor(view: PromptView, base: PromptVersion) -> None:
    """All fields of a version; what is changed waits in the session until it is saved."""
    if view.error:
        st.warning(
            f"{plain(view.error)} Nothing can be saved meanwhile: what you write stays in this session, and can be run.",
            icon=":material/cloud_off:",
        )
    texts = written(base)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _area(base, "system", "System prompt", SYSTEM_PIXELS, "The same for every ask, so that the API can cache it.")
        _area(base, "template", "Template", TEMPLATE_PIXELS, "Variables stand as $name or ${name}, a dollar sign as $$.")
        _variables(str(texts["template"]))
    with right:
        _keep(base, "title")
        st.text_input("Title", key=widget(base, "title"), max_chars=TITLE_MAX, on_change=_changed, args=(base, "title"))
        _choices(base)
        _area(base, "schema", "Schema of the answer (JSON; empty: plain text)", SCHEMA_PIXELS)
        _schema_fault(str(texts["schema"]))
    _keep(base, "note")
    st.text_input(
        "What this version changes, and why", key=widget(base, "note"), max_chars=NOTE_MAX, on_change=_changed,
        args=(base, "note"),
    )  # fmt: skip
    _end(view, base)


def schema_line(text: str, fault: str) -> int | None:
    """The line of a schema's text that a fault is about, from 1; of a path the line where its last word is reached."""
    if place := _JSON_PLACE.search(fault):
        return int(place[1])
    found = _SCHEMA_PLACE.search(fault)
    if found is None:
        return None
    at = 0
    for word in found[1].strip("/").split("/"):
        met = re.compile(rf'"{re.escape(word)}"\s*:').search(text, at)
        at = at if met is None else met.end()
    return text.count("\n", 0, at) + 1


def _area(base: PromptVersion, field: str, label: str, height: int, note: str | None = None) -> None:
    _keep(base, field)
    st.text_area(
        label, key=widget(base, field), height=height, max_chars=TEXT_MAX, help=note, on_change=_changed, args=(base, field)
    )


def _choices(base: PromptVersion) -> None:
    texts, parts = written(base), services().claude_parts
    offered = {model.id: model for model in parts.models.offered()}
    chosen = str(texts["model"])
    models = ["", *offered, *([chosen] if chosen and chosen not in offered else [])]
    for field in ("model", "max_tokens", "effort", "thinking"):
        _keep(base, field)
    st.selectbox(
        "Model", models, key=widget(base, "model"), on_change=_changed, args=(base, "model"),
        format_func=lambda name: _model_label(name, offered, parts.model),
    )  # fmt: skip
    with st.grid(3, min_column_width=95):
        st.number_input(
            "max_tokens", 1, MAX_TOKENS_MOST, step=50, key=widget(base, "max_tokens"), on_change=_changed,
            args=(base, "max_tokens"), help="Thinking counts inside it.",
        )  # fmt: skip
        st.selectbox(
            "Effort", ["", *get_args(Effort)], key=widget(base, "effort"), on_change=_changed, args=(base, "effort"),
            format_func=lambda word: word or "the model's own",
        )  # fmt: skip
        st.selectbox("Thinking", get_args(Thinking), key=widget(base, "thinking"), on_change=_changed, args=(base, "thinking"))


def _model_label(name: str, offered: dict[str, Any], default: str) -> str:
    if not name:
        return f"as the settings say: {default}"
    model = offered.get(name)
    if model is None:
        return f"{name} (on no list)"
    return f"{name} (retires {model.retires_at})" if model.retires_at else name


def _variables(template: str) -> None:
    if not Template(template).is_valid():
        st.error(
            "A dollar sign stands alone: write variables as $name or ${name}, and a dollar sign as $$.", icon=":material/error:"
        )
        return
    names = Template(template).get_identifiers()
    if not names:
        st.caption("No variables: every run asks the same.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Variables", width="content")
        for name in names:
            givers = [kind for kind, given in GIVES.items() if name in given]
            st.badge(name, color="blue" if givers else "gray", width="content", help=_giver_words(givers))


def _giver_words(givers: Sequence[str]) -> str:
    return f"A {' or a '.join(givers)} gives it." if givers else "Nothing gives it: it is written by hand at each run."


def _schema_fault(text: str) -> None:
    try:
        parse_schema(text)
    except UsageError as error:
        line = schema_line(text, str(error))
        lines = text.splitlines()
        st.error(f"{f'Line {line}: ' if line else ''}{plain(str(error))}", icon=":material/error:")
        if line and line <= len(lines):
            st.code(f"{line}: {lines[line - 1]}", language="json")


def _end(view: PromptView, base: PromptVersion) -> None:
    """Save or discard, what cannot work, and what is changed."""
    changed, draft, fault = is_changed(base), None, ""
    try:
        draft = drafted(base)
    except UsageError as error:
        fault = f"{error} {error.next_step}"
    if draft is not None and (words := model_words(draft)):
        st.warning(plain(words), icon=":material/event_busy:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Save as version {view.versions[0].version + 1}", key="prompt_save", type="primary", icon=":material/save:",
            disabled=not changed or bool(fault), on_click=save, args=(base,),
            help="It never changes afterwards, and does not answer until it is used.",
        )  # fmt: skip
        st.button(
            "Discard changes",
            key="prompt_discard",
            icon=":material/undo:",
            disabled=not changed,
            on_click=discard,
            args=(base,),
        )
        st.caption(
            f"Changed, not saved: made from version {base.version}." if changed else "Nothing is changed.", width="content"
        )
    if fault and not fault.startswith("The schema"):  # That one stands under its field.
        st.error(plain(fault), icon=":material/error:")
    elif not fault and changed and draft is not None:
        with st.expander(f"What it changes against version {base.version}", icon=":material/difference:"):
            draw_diffs(diff(base, draft))


def _keep(base: PromptVersion, field: str) -> None:
    """Give a widget its text again: Streamlit forgets those that were not drawn."""
    st.session_state.setdefault(widget(base, field), written(base)[field])


def _changed(base: PromptVersion, field: str) -> None:
    write(base, field, st.session_state[widget(base, field)])
