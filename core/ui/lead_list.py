"""The list of the leads page: its filters, and the table from which a lead is chosen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.platform.leads import FIND_AMONG, FIND_MOST_CHARACTERS, FOUND_MOST, OPEN_STATUSES, LeadSearch
from core.platform.panel import Panel
from core.platform.search import SLUG_MOST_CHARACTERS
from core.ui.address import forget
from core.ui.lead_data import find_leads, read_list
from core.ui.lead_words import since, words
from core.ui.session import run, services
from core.ui.text import plain

Rows = Sequence[Mapping[str, Any]]
LEAST_SCORE = 50
MARKET, FOUND, FOUND_SECONDS = "lead_market", "lead_found", 30.0
# The header, and so many rows; beside an open lead few, so that what comes of the choice stays in sight.
HEADER_PIXELS, ROW_PIXELS, ROWS_SHOWN, ROWS_BESIDE_LEAD = 37, 35, 15, 6
COLUMNS: dict[str, Any] = {
    "Score": st.column_config.ProgressColumn(
        format="%d", min_value=0, max_value=100, width=85, help="As the platform stores it"
    ),
    "Name": st.column_config.TextColumn(width=150, pinned=True),
    "Market": st.column_config.TextColumn(width=95),
    "Status": st.column_config.TextColumn(width=75),
    "Budget": st.column_config.TextColumn(width=90),
    "Looks for": st.column_config.TextColumn(width=100),
    "In 30 days": st.column_config.NumberColumn(format="localized", width=75, help="Interactions of the last 30 days"),
    "Mails opened": st.column_config.NumberColumn(format="percent", width=85, help="Share of them that are opened mails"),
    "Last contact": st.column_config.TextColumn(width=90),
    "Agent": st.column_config.TextColumn(width=80),
    "Id": st.column_config.TextColumn(width=70),
}


def market_filter(markets: Mapping[str, str]) -> str | None:
    """Which market; one of the address stays a choice while the markets cannot be read."""
    asked = st.query_params.get("market", "")[:SLUG_MOST_CHARACTERS]
    asked = asked if asked.isprintable() else ""
    known = ["", *markets, *([asked] if asked and asked not in markets else [])]
    # Not bound to the address, which would then hold names instead of slugs.
    st.session_state[MARKET] = asked
    chosen = st.selectbox(
        "Market", known, key=MARKET, on_change=_market_chosen, format_func=lambda slug: markets.get(slug, slug) or "All markets"
    )
    return chosen or None


def _market_chosen() -> None:
    if chosen := st.session_state[MARKET]:
        st.query_params["market"] = chosen
    else:
        forget("market")


def score_filter() -> int:
    """From which stored score up."""
    return int(st.number_input("Score from", 0, 100, LEAST_SCORE, step=5, key="min_score", bind="query-params"))


def list_filters(markets: Mapping[str, str]) -> LeadSearch:
    """The filters that the address carries."""
    market = market_filter(markets)
    status = st.selectbox(
        "Status", ["", *OPEN_STATUSES], key="status", bind="query-params", format_func=lambda word: word or "All open"
    )
    return LeadSearch(market=market, status=status or None, min_score=score_filter())


def find_field() -> None:
    """The text that is looked for."""
    st.text_input(
        "Name, e-mail or id", key="find", bind="query-params", type="search", placeholder="garcia, or 4711",
        max_chars=FIND_MOST_CHARACTERS,
        help=f"Looks at the {FIND_AMONG:,} newest leads, whatever the filters say; a whole id opens any lead.",
    )  # fmt: skip


def draw_list(search: LeadSearch, markets: Mapping[str, str]) -> Panel[Rows]:
    """The table, and how old it is; returns what was read."""
    wanted = str(st.session_state.get("find") or "").strip()
    panel = _found(wanted) if wanted else run(read_list(services(), search))
    if panel.value is None:
        st.warning(f"The list cannot be read: {plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
    elif panel.value:
        _table(panel.value, markets)
        st.caption(_told(panel, panel.value, wanted))
    else:
        _nothing(search, wanted)
    if any(sign.isdigit() for sign in wanted) and " " not in wanted and wanted != st.query_params.get("lead"):
        st.button(
            f"Open the lead with id {plain(wanted)}", key="open_id", icon=":material/badge:", on_click=_open, args=(wanted,)
        )
    return panel


def _found(wanted: str) -> Panel[Rows]:
    """What was found for a text; a rerun of the page does not look again for a while."""
    kept: tuple[str, float, Panel[Rows]] | None = st.session_state.get(FOUND)
    if kept is not None and kept[0] == wanted and time.monotonic() - kept[1] < FOUND_SECONDS:
        return replace(kept[2], age_seconds=time.monotonic() - kept[1])
    panel = run(find_leads(services(), wanted))
    if panel.value is not None:
        st.session_state[FOUND] = (wanted, time.monotonic(), panel)
    return panel


def _told(panel: Panel[Rows], rows: Rows, wanted: str) -> str:
    stale = f" · :orange[{plain(panel.error)} {plain(panel.next_step)}]" if panel.error else ""
    most = "the best " if len(rows) == FOUND_MOST else ""
    what = (
        f"{most}{len(rows):,} with this text among the {FIND_AMONG:,} newest leads, whatever the filters say"
        if wanted
        else f"The {len(rows):,} best by stored score"
    )
    return f"{what[:1].upper()}{what[1:]} · {panel.age_seconds:.0f} s old · choose a row to open a lead{stale}"


def _table(rows: Rows, markets: Mapping[str, str]) -> None:
    ids = [str(row["id"]) for row in rows]
    asked, key, now = st.query_params.get("lead", ""), f"leads-{hash(tuple(ids))}", datetime.now(UTC)
    st.dataframe(
        [_row(row, markets, now) for row in rows],
        key=key,
        height=HEADER_PIXELS + ROW_PIXELS * min(len(rows), ROWS_BESIDE_LEAD if asked else ROWS_SHOWN),
        hide_index=True,
        column_config=COLUMNS,
        placeholder="",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(asked)] if asked in ids else []}},
        on_select=lambda: _select(ids, key),
        alt="Table of leads: score, name, market, status, budget, interactions and last contact.",
    )


def _row(row: Mapping[str, Any], markets: Mapping[str, str], now: datetime) -> dict[str, Any]:
    return {
        "Score": row["score"],
        "Name": row.get("name") or "",
        "Market": markets.get(str(row["market_id"]), str(row["market_id"] or "")),
        "Status": row["status"],
        "Budget": row.get("budget_range") or "",
        "Looks for": words(row["property_type"]) if row.get("property_type") else "",
        "In 30 days": row.get("interaction_count"),
        "Mails opened": row["email_engagement"] if row.get("interaction_count") else None,
        "Last contact": since(row.get("last_interaction_at"), now),
        "Agent": str(row.get("assigned_agent_id") or ""),
        "Id": str(row["id"]),
    }


def _select(ids: Sequence[str], widget: str) -> None:
    rows = st.session_state[widget].selection.rows
    if rows:
        st.query_params["lead"] = ids[rows[0]]
    else:
        forget("lead")


def _nothing(search: LeadSearch, wanted: str) -> None:
    if wanted:
        text = f"None of the {FIND_AMONG:,} newest leads has {plain(wanted)} in its name or e-mail."
    elif search == LeadSearch(min_score=0):
        text = "There is no open lead: import a file or generate rows on the Data page."
    else:
        text = "No open lead fits: choose another market, status or a lower score."
    st.info(text, icon=":material/person_off:")


def _open(lead_id: str) -> None:
    st.query_params["lead"] = lead_id
