"""A lead that is only described: in a form, as JSON or as a row of CSV; nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from core.database.schema import LEAD_STATUSES, PROPERTY_TYPES
from core.errors import UsageError
from core.platform.described_lead import described, parse_csv, parse_json
from core.platform.lead_facts import LeadFacts
from core.platform.panel import Panel, within
from core.platform.subjects import Subject
from core.ui.lead_words import words
from core.ui.session import run, services
from core.ui.text import plain

FACTS, ERROR = "lead_described", "lead_described_error"
WAYS = ("Form", "JSON", "CSV row")
JSON_SAMPLE = """{"budget": "300k-400k", "property_type": "condo", "stage": "active", "interactions": 5,
 "last_activity": "2 days ago", "market": "austin"}"""
CSV_SAMPLE = "budget,property_type,stage,interactions,last_activity,market\n450k,condo,hot,7,yesterday,austin"
TEXT_CHARACTERS_MOST = 100_000


def describe_form(markets: Mapping[str, str]) -> Panel[Subject] | None:
    """The three ways to describe a lead; the subject of what was described last."""
    st.caption("Nothing that is written here is stored: not the lead, not its text. Names, notes and other texts are not used.")
    way = st.segmented_control("As", WAYS, default=WAYS[0], required=True, key="describe", bind="query-params")
    if way == "JSON":
        _pasted("One JSON object", JSON_SAMPLE, parse_json, "lead_json")
    elif way == "CSV row":
        _pasted("The line of names and the line of values", CSV_SAMPLE, parse_csv, "lead_csv")
    else:
        _form(markets)
    if error := st.session_state.get(ERROR):
        st.error(error, icon=":material/error:")
        return None
    facts: LeadFacts | None = st.session_state.get(FACTS)
    if facts is None:
        return None
    panel = run(within(services().subjects.described(facts), 5.0))
    if panel.value is None:
        st.warning(f"Its market cannot be read: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
    elif panel.value.facts.ignored:
        st.info(f"Not used: {plain(', '.join(panel.value.facts.ignored))}.", icon=":material/filter_alt_off:")
    return panel


def describe_line() -> str:
    """The line of the command line that judges a described lead."""
    way = "--lead-csv lead.csv" if st.session_state.get("describe") == WAYS[2] else "--lead-json lead.json"
    return f"python -m core analyze {way}"


def _form(markets: Mapping[str, str]) -> None:
    with st.form("lead_form", border=True):
        with st.grid(3, min_column_width=190):
            st.text_input("Budget", key="described_budget", placeholder="450k, 300k-400k, under 500k")
            st.selectbox("Looks for", ["", *PROPERTY_TYPES], key="described_property_type", format_func=_or_unknown)
            st.selectbox("Stage", ["", *LEAD_STATUSES], key="described_stage", format_func=_or_unknown)
            st.number_input("Interactions in 30 days", 0, 100_000, None, key="described_interactions", placeholder="not known")
            st.text_input("Last activity", key="described_last_activity", placeholder="2 days ago, 2026-03-31, never")
            st.selectbox(
                "Market", ["", *markets], key="described_market", format_func=lambda slug: markets.get(slug) or "not known"
            )
        st.form_submit_button("Analyse", key="describe_form", type="primary", icon=":material/play_arrow:", on_click=_from_form)


def _or_unknown(word: str) -> str:
    return words(word)


def _pasted(label: str, sample: str, parse: Callable[[str], LeadFacts], key: str) -> None:
    with st.form(f"{key}_form", border=True):
        st.text_area(label, key=key, height=110, placeholder=sample, max_chars=TEXT_CHARACTERS_MOST)
        st.form_submit_button(
            "Analyse", key=f"{key}_go", type="primary", icon=":material/play_arrow:",
            on_click=lambda: _described(lambda: parse(str(st.session_state.get(key) or ""))),
        )  # fmt: skip


def _from_form() -> None:
    names = ("budget", "property_type", "stage", "interactions", "last_activity", "market")
    fields: dict[str, Any] = {name: st.session_state.get(f"described_{name}") for name in names}
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    _described(lambda: described(given))


def _described(read: Callable[[], LeadFacts]) -> None:
    st.session_state.pop(FACTS, None)
    st.session_state.pop(ERROR, None)
    try:
        st.session_state[FACTS] = read()
    except UsageError as error:
        st.session_state[ERROR] = f"{plain(str(error))}\n\n**Next:** {plain(error.next_step)}"
