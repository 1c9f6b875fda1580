"""How promising is this lead, why, and what should be done next?"""

import streamlit as st

from core import ui
from core.platform.panel import Panel
from core.platform.subjects import Subject
from core.ui import lead_ask
from core.ui import lead_panels as panels
from core.ui.lead_analysis import draw_analysis
from core.ui.lead_data import read_lead, read_markets
from core.ui.lead_describe import describe_form, describe_line
from core.ui.lead_list import draw_list, find_field, list_filters
from core.ui.lead_prepare import prepare_panel
from core.ui.lead_timeline import draw_timeline
from core.ui.text import plain

ui.guard("viewer")
services = ui.services()
SECTIONS = ("List", "Describe one", "Prepare")


def choose() -> Panel[Subject] | None:
    """The list, and the lead that the address names."""
    with st.grid(4, min_column_width=150):
        find_field()
        search = list_filters(markets)
    listed = draw_list(search, markets)
    lead_id = st.query_params.get("lead", "")
    if lead_id:
        return ui.run(read_lead(services, lead_id))
    with head:
        panels.draw_best(listed)
    return None


def draw_lead(panel: Panel[Subject], command: str) -> None:
    """Everything about one lead; what streams in is drawn last."""
    subject = panel.value
    if subject is None:
        return
    by_rules = ui.run(services.lead_analyses.by_rules(subject))
    with head:
        title = st.empty()
    with title.container():
        panels.draw_headline(by_rules)
    left, right = st.columns(2, gap="medium")
    with left:
        box = st.container(border=True)
        panels.draw_facts(panel)
    with right:
        panels.draw_rules(by_rules.rules)
    if subject.lead_id is not None:
        draw_timeline(subject.lead["interactions"])
    st.code(command, language="bash", wrap_lines=True)
    found = draw_analysis(by_rules, box, on_opening=on_opening or subject.lead_id is None)
    if found is not None:
        with title.container():
            panels.draw_headline(found)


def draw_missing(panel: Panel[Subject]) -> None:
    """A lead that is not there, or that cannot be read."""
    lead_id = plain(st.query_params.get("lead", "")[:100])
    with head:
        if panel.error:
            st.title(f":orange[:material/help:] Cannot tell: {plain(panel.error.rstrip('.'))}", anchor=False)
            st.markdown(f"**Next:** {plain(panel.next_step)}")
        else:
            st.title(f":orange[:material/help:] There is no lead with the id {lead_id}", anchor=False)
            st.markdown("**Next:** Choose one from the list, or look for a name.")


markets = ui.run(read_markets(services))
head = st.container()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    show = st.segmented_control(
        "Show", SECTIONS, default="List", required=True, key="show_leads", bind="query-params", label_visibility="collapsed"
    )
    on_opening = st.toggle(
        "Ask Claude when a lead is opened", True, key="ask", bind="query-params", disabled=show != "List",
        help="Off: an answer that is kept is shown, and a button asks for a new one.",
    )  # fmt: skip
if show == "Prepare":
    with head:
        panels.draw_title("Prepare analyses ahead")
    lead_ask.leave()
    prepare_panel(markets)
else:
    described = show == "Describe one"
    if described:
        opened = describe_form(markets)
        line = describe_line()
        if opened is None:
            with head:
                panels.draw_title("How promising would a lead like this be?")
    else:
        opened = choose()
        line = f"python -m core analyze {st.query_params.get('lead', '')}"
    if opened is None or opened.value is None:
        lead_ask.leave()
    if opened is not None and opened.value is not None:
        draw_lead(opened, line)
    elif opened is not None:
        draw_missing(opened)
