"""Frame: what surrounds every page: title, environment bar and navigation."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.platform.overview import EnvironmentInfo
from core.ui.session import enter, services
from core.ui.tab_title import keep_title, title_now

ASSETS = Path(__file__).with_name("assets")

# The bar's colour is a warning: calm where nothing real can break, red where an action reaches somebody's production.
BAR_COLOURS = {"embedded": "#2f6f5e", "watch": "#1f5fa8", "operate": "#b3261e"}


@dataclass(frozen=True, slots=True)
class PageInfo:
    """One page of the navigation: its file, title and Material icon."""

    file: str
    title: str
    icon: str
    default: bool = False


def frame(pages: Sequence[PageInfo]) -> None:
    """Draw the frame and run the page that the address names."""
    st.set_page_config(page_title=title_now(), page_icon=str(ASSETS / "icon.svg"), layout="wide")
    st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.svg"), size="large")
    enter()
    page = st.navigation(
        [st.Page(item.file, title=item.title, icon=item.icon, default=item.default) for item in pages],
        position="sidebar" if len(pages) > 1 else "hidden",
    )
    _environment_bar(services().overview.environment())
    keep_title()
    page.run()


def _environment_bar(environment: EnvironmentInfo) -> None:
    colour = BAR_COLOURS["embedded" if environment.embedded else environment.mode]
    what = "sample data" if environment.embedded else f"mode {environment.mode}"
    parts = [environment.database, environment.redis, what, f"Claude: {environment.claude}"]
    name = f"<strong>{html.escape(environment.name)}</strong>"
    text = " &nbsp;·&nbsp; ".join([name, *(html.escape(part) for part in parts)])
    st.html(
        f'<div role="note" aria-label="environment" style="background:{colour};color:#fff;padding:.3rem .8rem;'
        f'border-radius:.4rem;font-size:.82rem;line-height:1.5">{text}</div>'
    )
