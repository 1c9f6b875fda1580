"""Generate: the form for synthetic rows, with what they will take and the line that does the same in a terminal."""

from __future__ import annotations

import secrets
from datetime import timedelta

import streamlit as st

from core.errors import CoreError
from core.platform.commands import generate_line
from core.sample import SampleSize
from core.ui.data_panels import GIB, ask_target, refusal, start
from core.ui.session import operator, run, services
from core.ui.verdict import span

STEPS = {"leads": (10_000, 5_000_000), "interactions": (50_000, 25_000_000), "properties": (5_000, 5_000_000)}
DEFAULTS = {"leads": 100_000, "interactions": 500_000, "properties": 50_000}


def generate_form() -> None:
    """Sizes, what they take, and the start."""
    st.caption("Made-up people, contacts and listings of the last year, added to what is there and marked as synthetic.")
    columns = st.columns(4)
    counts = {
        name: column.number_input(
            name.capitalize(), 0, most, DEFAULTS[name], step=step, key=f"generate_{name}", bind="query-params",
            help="They belong to the new leads." if name == "interactions" else None,
        )
        for column, (name, (step, most)) in zip(columns, STEPS.items(), strict=False)
    }  # fmt: skip
    if "generate_seed" not in st.session_state:
        st.session_state["generate_seed"] = secrets.randbelow(2**31)
    seed = columns[3].number_input("Seed", 0, 2**31, key="generate_seed", help="Equal seeds add equal people again.")
    try:
        size = SampleSize(**counts)
    except CoreError as error:
        st.warning(f"{error} {error.next_step}", icon=":material/warning:")
        return
    _estimate(size)
    st.code(generate_line(size, seed), language="bash", wrap_lines=True)
    typed = ask_target("generate_target")
    why_not = refusal(typed) or ("" if size.leads + size.properties else "Ask for at least one row.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Generate", key="generate_start", type="primary", icon=":material/play_arrow:", disabled=bool(why_not),
            on_click=_start, args=(size, seed, typed),
        )  # fmt: skip
        if why_not:
            st.caption(why_not)


def _estimate(size: SampleSize) -> None:
    estimate = run(services().data.estimate(size))
    room = f" of {estimate.free_bytes / GIB:,.1f} GiB free" if estimate.free_bytes is not None else ""
    st.caption(
        f"{estimate.rows:,} rows: about {span(timedelta(seconds=max(1, estimate.seconds)))} and "
        f"{estimate.size_bytes / GIB:,.2f} GiB{room}"
    )


def _start(size: SampleSize, seed: int, typed: str | None) -> None:
    work = services().data.start_generate(size, seed, operator=operator(), typed=typed)
    start(work, lambda _operation: st.session_state.pop("generate_seed", None))
