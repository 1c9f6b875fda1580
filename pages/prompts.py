"""Is this changed prompt better: on real leads, how fast and at what cost?"""

import streamlit as st

from core import ui
from core.claude.prompts import PromptVersion
from core.ui.lead_data import read_markets
from core.ui.prompt_actions import draw_message
from core.ui.prompt_data import PromptView
from core.ui.prompt_editor import draw_editor
from core.ui.prompt_head import back_to_list, draw_head, find_prompt, opened_version
from core.ui.prompt_history import draw_history
from core.ui.prompt_list import draw_prompts
from core.ui.prompt_try import draw_try
from core.ui.prompt_versions import draw_versions
from core.ui.text import plain

ui.guard("viewer")
services = ui.services()
SECTIONS = ("Edit", "Run", "Versions", "History")


def draw_section(view: PromptView, opened: PromptVersion) -> None:
    """What the operator wants to do with the prompt."""
    show = st.segmented_control(
        "Show",
        SECTIONS,
        default=SECTIONS[0],
        required=True,
        key="show_prompt",
        bind="query-params",
        label_visibility="collapsed",
    )
    if show == "Run":
        draw_try(view, opened, ui.run(read_markets(services)))
    elif show == "Versions":
        draw_versions(view, opened)
    elif show == "History":
        draw_history(view.name)
    else:
        draw_editor(view, opened)


name = st.query_params.get("prompt", "")
view = find_prompt(name)
if view is not None:
    opened = opened_version(view)
    draw_head(view, opened)
    draw_message()
    draw_section(view, opened)
elif name:
    st.title(f":orange[:material/help:] There is no prompt {plain(name[:80])}", anchor=False)
    st.markdown("**Next:** Choose one of the list.")
    back_to_list()
else:
    message = st.container()
    draw_prompts()
    with message:
        draw_message()
