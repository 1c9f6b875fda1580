"""The promises on the overview: what is broken as cards, the worst first; what is kept, or cannot be judged, as chips.

Owns their look. The chips are one element of HTML: as twenty widgets they would cost each viewer more than all the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import streamlit as st

from core.monitor import SeriesSnapshot
from core.monitor.alerts.words import counted, lasting
from core.platform.promise import Promise
from core.platform.promises import PromisesView
from core.platform.units import duration

STYLE = Path(__file__).with_name("assets") / "promises.css"
SIGNS = {"kept": "✓", "pending": "◔", "unknown": "?"}
PAGE_TITLES = {
    "activity": "Activity", "cache": "Cache", "claude": "Claude", "database": "Database", "leads": "Leads",
}  # fmt: skip


def draw_style() -> None:
    """Once on the page, outside of what is drawn again and again."""
    st.html(STYLE)


def broken_promises(view: PromisesView) -> None:
    """One card for each, with what it costs and what to do."""
    for promise in view.broken:
        with st.container(border=True, key=f"promise-{promise.rule}", gap="small"):
            st.html(_card(promise, datetime.now(UTC)))
            with st.container(horizontal=True):
                if promise.page in PAGE_TITLES:
                    label = f"Open {PAGE_TITLES[promise.page]}"
                    st.page_link(f"pages/{promise.page}.py", label=label, icon=":material/arrow_forward:")
                if promise.incident:
                    chosen = {"incident": promise.incident}
                    label = "Story and remedies"
                    st.page_link("pages/alerts.py", label=label, icon=":material/menu_book:", query_params=chosen)


def kept_promises(view: PromisesView, requests: SeriesSnapshot) -> None:
    """Chips: name and value; target, samples and window where the pointer or the keyboard rests."""
    if not view.promises:
        return
    chips = [_chip(item) for item in (*view.pending, *view.kept, *view.unknown)]
    rate = f"{requests.rate_per_second:,.1f}"
    traffic = f'<li class="chips__chip">requests per second <b>{rate}</b>{_tip("Of the last five minutes.")}</li>'
    st.html(f'<ul class="chips" aria-label="promises">{"".join(chips)}{traffic}</ul>')


def _chip(promise: Promise) -> str:
    look = promise.standing
    shown = f"<span>{escape(promise.reason)}</span>" if look == "unknown" else f"<b>{escape(promise.value)}</b>"
    lines = [f"promised {promise.target}", *(f"{source.name}: {source.text}" for source in promise.sources)]
    if look == "pending":
        lines.insert(0, "beyond its limit, but not for long enough to be a breach")
    if promise.trend in ("improving", "degrading"):
        lines.append(promise.trend)
    return (
        f'<li class="chips__chip chips__chip--{look}" tabindex="0"><span class="chips__sign" aria-label="{look}">{SIGNS[look]}'
        f"</span><span>{escape(promise.title)}</span>{shown}{_tip(*lines)}</li>"
    )


def _tip(*lines: str) -> str:
    return f'<span class="chips__tip">{"<br>".join(escape(line) for line in lines)}</span>'


def _card(promise: Promise, now: datetime) -> str:
    level = "recovering" if promise.recovering else "critical" if promise.critical else "warning"
    began = promise.breach_since or now
    facts = [
        f"in breach for {lasting((now - began).total_seconds())}",
        f"trend: {promise.trend}",
        *_felt(promise),
        *([f"seen by {promise.acknowledged_by}"] if promise.acknowledged_by else []),
        *(["silenced"] if promise.silenced else []),
    ]
    said = promise.felt_words or promise.worst
    words = [f"<strong>{escape(said)}</strong>"] if said else []
    sources = [f"<em>{escape(source.name)}</em>: {escape(source.text)}" for source in promise.sources]
    return (
        f'<div class="promise"><div><div class="promise__title">{escape(promise.title)} '
        f'<span class="promise__level promise__level--{level}">{level}</span></div>'
        f'<div class="promise__value">{escape(promise.value)}</div>'
        f'<div class="promise__quiet">promised {escape(promise.target)}</div></div>'
        f"<div>{''.join(f'<div>{line}</div>' for line in words)}<div>{escape(' · '.join(facts))}</div>"
        f'<div class="promise__quiet">{"<br>".join(sources)}</div>'
        f"<div><b>Next:</b> {_step(promise.next_step)}</div></div></div>"
    )


def _step(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _felt(promise: Promise) -> Sequence[str]:
    found = [f"{counted(promise.felt, promise.felt_noun)} felt it"] if promise.felt and promise.felt_noun else []
    if promise.lost_seconds >= 1:
        found.append(f"users lost {duration(promise.lost_seconds)}")
    return found
