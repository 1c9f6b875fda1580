"""The proof on the index page: the queries that the chosen indexes serve, measured before a build and after it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.database.indexes.catalog import SetIndex
from core.ui.database_proof import proof_panel
from core.ui.session import services

WINDOW_SECONDS = 900


def index_proofs(chosen: Sequence[SetIndex]) -> None:
    """One proof for each query, closed until something was measured."""
    for query in sorted({name for one in chosen for name in one.notes.serves}):
        state = services().database_operations.proof(query)
        with st.expander(f"What it buys: {query}", icon=":material/timer:", expanded=state.before is not None):
            view = services().database_overview.query(query, WINDOW_SECONDS)
            if state.before is None and not view.sampling.sets:
                st.caption("No parameters of this query are kept in this process: make traffic on the Overview first.")
            proof_panel(view)
