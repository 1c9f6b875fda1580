"""What a prompt is run on: one lead, listing or market, or values by hand; the address carries which."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import streamlit as st

from core.platform.leads import ID_MOST_CHARACTERS, LeadSearch
from core.platform.panel import Panel, within
from core.platform.prompt_inputs import Kind, PromptInput, kind_of
from core.platform.properties import PropertySearch
from core.ui.session import run, services
from core.ui.text import plain

SET = "Set of leads"
SOURCES: Mapping[str, Kind] = {"Lead": "lead", "Listing": "listing", "Market": "market", "By hand": "hand"}
VALUES, MISSED = "prompt_values", "prompt_missed"
READ_SECONDS = 5.0
ROW_PIXELS = 70


def choose_source(variables: Sequence[str]) -> str:
    """Where the values come from; at first what gives the prompt's variables."""
    likely = kind_of(variables)
    first = next(label for label, kind in SOURCES.items() if kind == likely)
    options = ["Lead", SET, "Listing", "Market", "By hand"]
    return str(st.segmented_control("Run on", options, default=first, required=True, key="on", bind="query-params"))


def choose_input(name: str, source: str, variables: Sequence[str], markets: Mapping[str, str]) -> PromptInput | None:
    """The chosen input, with fields for what it does not give; None until it can be read."""
    given = _of_source(source, markets)
    if given is None:
        return None
    left = [variable for variable in variables if variable not in given.values]
    values = {variable: _by_hand(name, variable) for variable in left}
    return given.with_values(values)


def fill(name: str, values: Mapping[str, str]) -> None:
    """Write values into the fields of a prompt, such as those of an earlier run."""
    for variable, text in values.items():
        _hand(name)[variable] = text
        st.session_state.pop(_widget(name, variable), None)


def _of_source(source: str, markets: Mapping[str, str]) -> PromptInput | None:
    inputs = services().prompt_lab.inputs
    if source == "Lead":
        wanted = _id_field("Lead id", "lead", _best_lead)
        return _read(inputs.lead(wanted)) if wanted else _wanting("the id of a lead")
    if source == "Listing":
        wanted = _id_field("Listing id", "listing", _first_listing)
        return _read(inputs.listing(wanted)) if wanted else _wanting("the id of a listing")
    if source == "Market":
        slug = st.selectbox("Market", list(markets), key="market", bind="query-params", format_func=lambda one: markets[one])
        return _read(inputs.market(slug)) if slug else _wanting("a market; the list cannot be read now")
    return PromptInput(values={}, title="values by hand")


def _id_field(label: str, name: str, first: Any) -> str:
    """A field for an id, and a button for somebody who knows none."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.text_input(label, key=name, bind="query-params", max_chars=ID_MOST_CHARACTERS, width=220)
        st.button("Take the first", key=f"first_{name}", on_click=_take, args=(name, first), type="tertiary")
        if name == "lead" and wanted:
            st.page_link("pages/leads.py", label="The lead", icon=":material/groups:", query_params={"lead": wanted})
    if missed := st.session_state.pop(MISSED, ""):
        st.warning(missed, icon=":material/search_off:")
    return wanted.strip()


def _take(name: str, first: Any) -> None:
    panel: Panel[str] = run(within(first(), READ_SECONDS))
    if panel.value:
        st.session_state[name] = panel.value
    else:
        st.session_state[MISSED] = plain(f"{panel.error or 'There is none.'} {panel.next_step}")


async def _best_lead() -> str:
    rows = await services().platform.leads.list(LeadSearch(min_score=0, limit=1))
    return str(rows[0]["id"]) if rows else ""


async def _first_listing() -> str:
    rows = await services().platform.properties.search(PropertySearch(limit=1))
    return str(rows[0]["id"]) if rows else ""


def _read(work: Coroutine[Any, Any, PromptInput]) -> PromptInput | None:
    panel = run(within(work, READ_SECONDS))
    if panel.value is None:
        st.warning(f"{plain(panel.error)} {plain(panel.next_step)}", icon=":material/search_off:")
    return panel.value


def _wanting(what: str) -> PromptInput | None:
    st.caption(f"Give {what}.")
    return None


def _by_hand(name: str, variable: str) -> str:
    """One field, whose text outlives other sections and pages."""
    key = _widget(name, variable)
    st.session_state.setdefault(key, _hand(name).get(variable, ""))
    text = st.text_area(
        f"${variable}", key=key, height=ROW_PIXELS,
        on_change=lambda: _hand(name).__setitem__(variable, st.session_state[key]),
    )  # fmt: skip
    return str(text)


def _hand(name: str) -> dict[str, str]:
    values: dict[str, dict[str, str]] = st.session_state.setdefault(VALUES, {})
    return values.setdefault(name, {})


def _widget(name: str, variable: str) -> str:
    return f"value-{name}-{variable}"
