"""Live charts: drawn in the browser from `GET /api/live`, so that a refresh costs no run of the page and keeps the zoom.

Owns the component and what it loads. Where no browser can load it, the same lines are drawn once with `st.plotly_chart`.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import streamlit as st

from core.api import Asset
from core.api.live import ALL_PROCESSES
from core.monitor.history.history import CHART_STEPS_SECONDS
from core.ui.history_process import chosen_process, process_choice
from core.ui.live_fallback import draw_fallback
from core.ui.live_line import LiveLine, Unit, scale_of

FOLDER = Path(__file__).with_name("assets")
RECENT_SECONDS = 3_600  # What this process remembers; beyond it the console's store answers.
HISTORY_WINDOWS = ("6h", "24h", "7d", "14d")
# The words are in the page's address, too.
WINDOWS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600} | dict(zip(HISTORY_WINDOWS, CHART_STEPS_SECONDS, strict=True))

# The part that Streamlit carries to the browser with every mount; what it loads is kept there for ever. The address of
# Streamlit's own script says under which path the console is served, whatever stands in front of it.
LOADER = """
export default function (component) {
  const script = document.querySelector('script[src*="/static/js/"]');
  const base = script ? script.src.split("/static/js/")[0] : window.location.origin;
  let closed = false;
  let close = () => { closed = true; };
  import(`${base}/${component.data.module}`).then(
    (module) => { if (!closed) close = module.draw(component, base); },
    () => { component.parentElement.querySelector(".live-chart__message").textContent =
      "The chart could not be loaded. Reload the page; if it stays so, read the console's log."; },
  );
  return () => close();
}
"""
HTML = """
<div class="live-chart">
  <div class="live-chart__head">
    <span class="live-chart__title"></span>
    <span class="live-chart__state">
      <details class="live-chart__marks" hidden><summary></summary><ol></ol></details>
      <button type="button" class="live-chart__reset" hidden>Reset zoom</button>
      <span class="live-chart__state-text"></span>
    </span>
  </div>
  <div class="live-chart__area">
    <div class="live-chart__bands" aria-hidden="true"></div>
    <div class="live-chart__plot" role="img"></div>
    <div class="live-chart__flags" aria-hidden="true"></div>
    <div class="live-chart__tip" hidden></div>
  </div>
  <div class="live-chart__message">loading …</div>
  <div class="live-chart__announcement" role="status"></div>
</div>
"""


@dataclass(frozen=True, slots=True)
class LiveView:
    """What the controls say: the window in seconds, whether charts follow the time, and of which process a long window is."""

    window_seconds: int = 300
    live: bool = True
    process: str = ALL_PROCESSES

    @property
    def recent_seconds(self) -> int:
        """The window of the numbers beside the charts, which are this process's: at most an hour."""
        return min(self.window_seconds, RECENT_SECONDS)


def plotly_js() -> Path:
    """plotly.js inside the installed wheel."""
    spec = importlib.util.find_spec("plotly")
    return Path(spec.origin if spec and spec.origin else "plotly").with_name("package_data") / "plotly.min.js"


def _module(name: str) -> Asset:
    path = FOLDER / f"{name}.js"
    return Asset(f"{name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}.js", path)


MODULE, MARKS = _module("live_chart"), _module("live_marks")
PLOTLY = Asset(f"plotly-{version('plotly')}.min.js", plotly_js())
live_assets = (MODULE, MARKS, PLOTLY)
ADDRESSES = {name: f"assets/{asset.name}" for name, asset in (("module", MODULE), ("marks", MARKS), ("plotly", PLOTLY))}

_component = st.components.v2.component(
    "live_chart", html=HTML, css=(FOLDER / "live_chart.css").read_text(), js=LOADER, isolate_styles=False
)


def live_controls(
    windows: Sequence[str] = ("5m", "1h", *HISTORY_WINDOWS), default: str = "5m", key: str = "window"
) -> LiveView:
    """The window and the Live switch, both in the page's address; draw them once, above the charts.

    Pages with other windows use another key: what is chosen under one goes along to the next page.
    """
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        window = st.segmented_control(
            "Window",
            windows,
            default=default,
            required=True,
            key=key,
            bind="query-params",
            label_visibility="collapsed",
        )
        live = st.toggle("Live", value=True, key="live", bind="query-params", help="Off: the charts stand still.")
        seconds = WINDOWS[window or default]
        process = process_choice() if seconds > RECENT_SECONDS else ALL_PROCESSES
    return LiveView(seconds, live, process)


def live_view(default: str = "5m", key: str = "window") -> LiveView:
    """What the controls say, for a part of the page that is drawn without them."""
    seconds = WINDOWS[st.session_state.get(key) or default]
    process = chosen_process() if seconds > RECENT_SECONDS else ALL_PROCESSES
    return LiveView(seconds, st.session_state.get("live", True), process)


def live_chart(
    key: str,
    title: str,
    lines: Sequence[LiveLine],
    *,
    unit: Unit,
    view: LiveView,
    empty: str,
    alt: str,
    target: float | None = None,
    target_name: str = "",
    height: int = 240,
    group: str = "",
    quiet: bool = False,
) -> None:
    """One chart of up to a few lines; `target` in the metric's own unit (seconds) draws a line to stay below.

    `empty` says when there will be something to see; `alt` says to a screen reader what the chart shows. Charts of one `group`
    have one time axis: they are zoomed and pointed at together. A `quiet` one is under another with the same lines: no legend,
    and its age only when it is stale.
    """
    if not _loadable():
        process = None if view.process == ALL_PROCESSES else int(view.process)
        draw_fallback(key, title, lines, unit=unit, window_seconds=view.window_seconds, process=process, empty=empty)
        return
    scale = scale_of(unit)
    _component(
        key=key,
        data={
            **ADDRESSES,
            "title": title,
            "lines": [
                {"series": line.series, "rest": line.rest, "statistic": line.statistic, "name": line.name} for line in lines
            ],
            "unit": unit,
            "scale": scale,
            "counted": any(line.statistic.startswith("p") or line.rest for line in lines),
            "target": target * scale if target is not None else None,
            "target_name": target_name,
            "height": height,
            "group": group,
            "quiet": quiet,
            "window": view.window_seconds,
            "process": view.process,
            "live": view.live,
            "empty": empty,
            "alt": alt,
        },
    )


def _loadable() -> bool:
    """Whether a browser is there that can fetch what the chart needs; tests of a page have none."""
    return bool(st.context.headers) and PLOTLY.path.is_file()
