"""The families of the cache page: one row each, the times of one by tier, and the keys read and missed most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.cache.insight import KeyCount
from core.monitor import SeriesSnapshot
from core.platform.cache_figures import MISS_REASONS, CacheFigures, FamilyFigures
from core.platform.cache_overview import BusyKeys
from core.platform.units import duration, size
from core.ui.cache_panels import WINDOW_WORDS

_number = st.column_config.NumberColumn
COLUMNS: dict[str, Any] = {
    "Family": st.column_config.TextColumn(width=155, pinned=True),
    "Hit rate": st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100, width=95),
    "Reads over time": st.column_config.AreaChartColumn(width=105, y_min=0),
    "Reads": _number(format="localized", width=60),
    "Memory": _number(format="%.0f %%", width=62, help="Reads that this process' memory answered"),
    "Redis": _number(format="%.0f %%", width=55, help="Reads that Redis answered"),
    "Cold": _number(format="localized", width=50, help="Missed because never read before, as far as this process knows"),
    "Expired": _number(format="localized", width=60, help="Missed because its time was over"),
    "Evicted": _number(format="localized", width=60, help="Missed because Redis let it go before its time"),
    "Invalidated": _number(format="localized", width=78, help="Missed because it was removed, or a tag of it"),
    "Stale": _number(format="localized", width=48, help="An old value, because the loader failed or was slow"),
    "Errors": _number(format="localized", width=52, help="Redis was away and the loader was asked; loads that failed"),
    "Load P95, ms": _number(format="%.1f", width=92),
    "Redis P95, ms": _number(format="%.2f", width=95),
    "Saved, s": _number(format="%.1f", width=65, help="The loaders' time that hits saved"),
    "In memory": st.column_config.TextColumn(width=80),
}


def draw_families(figures: CacheFigures, chosen: str) -> None:
    """The table, and the times of the family that the address names."""
    families = figures.families
    names = [family.name for family in families]
    st.dataframe(
        [_row(family) for family in families],
        key=f"families-{len(families)}",
        hide_index=True,
        column_config=COLUMNS,
        placeholder="",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [names.index(chosen)] if chosen in names else []}},
        on_select=lambda: _select(names, len(families)),
        alt="Table of the families: reads, hit rate, misses by reason and times in the window.",
    )
    note = "Misses by reason; a read that Redis or a loader failed to answer is neither hit nor miss."
    st.caption(f"The {WINDOW_WORDS[figures.window_seconds]} of this process. {note} Choose a row for its times.")
    if family := next((family for family in families if family.name == chosen), None):
        _times(family)


def draw_busy(busy: BusyKeys) -> None:
    """The keys of the last hour: read most, missed most."""
    hot, missed = st.columns(2, gap="medium")
    with hot:
        _keys("Read most", "Reads", busy.hottest, "No key was read from the cache in the last hour.")
    with missed:
        _keys("Missed most", "Misses", busy.most_missed, "No key was missed in the last hour.")


def _row(family: FamilyFigures) -> dict[str, Any]:
    counts = family.counts
    reads = counts.reads or 1
    return {
        "Family": f"{family.title} (apart)" if family.paid else family.title,
        "Hit rate": None if counts.hit_rate is None else int(counts.hit_rate * 1_000) / 10,
        "Reads over time": family.reads_over_time,
        "Reads": counts.reads,
        "Memory": 100 * counts.memory_hits / reads if counts.reads else None,
        "Redis": 100 * counts.redis_hits / reads if counts.reads else None,
        **{reason.capitalize(): counts.misses.get(reason, 0) for reason in MISS_REASONS},
        "Stale": counts.stale,
        "Errors": counts.errors + counts.load_errors,
        "Load P95, ms": _ms(family.load),
        "Redis P95, ms": _ms(family.redis_read),
        "Saved, s": counts.saved_seconds,
        "In memory": size(family.size.size_bytes),
    }


def _ms(series: SeriesSnapshot) -> float | None:
    return None if series.p95 is None else series.p95 * 1000


def _select(names: Sequence[str], count: int) -> None:
    rows = st.session_state[f"families-{count}"].selection.rows
    if rows:
        st.query_params["family"] = names[rows[0]]
    else:
        st.query_params.pop("family", None)


def _times(family: FamilyFigures) -> None:
    """What reads from each tier and loads of one family took."""
    with st.container(border=True):
        st.markdown(f"**{family.title}** · `{family.name}` · {family.size.entries:,} values in memory")
        series = (("Read from memory", family.memory_read), ("Read from Redis", family.redis_read), ("Load", family.load))
        rows = [
            {
                "What": what,
                "Samples": item.count,
                "P50": duration(item.p50),
                "P95": duration(item.p95),
                "P99": duration(item.p99),
                "Longest": duration(item.max),
            }
            for what, item in series
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
        unanswered = f", {family.counts.negatives:,} answered that there is no such thing" if family.counts.negatives else ""
        st.caption(f"P95 needs 20 samples, P99 needs 100; one hit in memory in 16 is timed and counts for all{unanswered}.")


def _keys(title: str, word: str, keys: Sequence[KeyCount], empty: str) -> None:
    st.markdown(f"**{title}** in the last hour")
    if not keys:
        st.caption(empty)
        return
    rows = [
        {"Key": item.key, word: item.count, **({"Loads, s": item.load_seconds} if word == "Misses" else {})} for item in keys
    ]
    columns = {
        "Key": st.column_config.TextColumn(width=320),
        word: _number(format="localized", width=60),
        "Loads, s": _number(format="%.2f", width=70),
    }
    key = f"busy-{word}"
    st.dataframe(
        rows,
        key=key,
        hide_index=True,
        column_config=columns,
        selection_mode="single-row",
        on_select=lambda: _open(keys, key),
    )


def _open(keys: Sequence[KeyCount], widget: str) -> None:
    """Look at the chosen key among the keys."""
    rows = st.session_state[widget].selection.rows
    if rows:
        st.session_state["show"] = "Keys"
        st.query_params["key"] = keys[rows[0]].key
