"""The key explorer of the cache page: a page of keys, one key with its value, and what can be done to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import streamlit as st

from core.cache.redis_tier.explorer import ForeignPage, KeyInfo, KeyPage
from core.platform.cache_keys import PAGE_KEYS, KeyDetail
from core.platform.panel import Panel
from core.platform.units import duration, size
from core.ui.address import choose, forget, number
from core.ui.cache_actions import act, ask
from core.ui.session import operator, run, services
from core.ui.text import plain
from core.ui.verdict import span

COLUMNS: dict[str, Any] = {
    "Key": st.column_config.TextColumn(width=350, pinned=True),
    "Type": st.column_config.TextColumn(width=85),
    "Size": st.column_config.TextColumn(width=80, help="As it lies in Redis, packed"),
    "Fresh for": st.column_config.TextColumn(width=80, help="Until its logical end"),
    "Kept for": st.column_config.TextColumn(width=80, help="Until Redis drops it: a reserve for when the loader fails"),
    "Held by": st.column_config.ListColumn(width=125),
    "Priority": st.column_config.TextColumn(width=75),
    "Tags": st.column_config.ListColumn(width=190),
    "Version": st.column_config.TextColumn(width=85),
    "Warm run": st.column_config.TextColumn(width=170),
}


def key_explorer() -> None:
    """A page of keys by family and beginning, and the key that the address names."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        everybody = st.toggle("All keys of this Redis", key="all", bind="query-params", on_change=_first)
        family = None
        if not everybody:
            family = choose("Family", "family", [family.name for family in services().cache.families], _first)
        label = "Pattern of the name" if everybody else "Key begins with"
        placeholder = "session:*" if everybody else "market=austin"
        text = st.text_input(label, key="begins", bind="query-params", placeholder=placeholder, on_change=_first).strip()
    keys, cursor = services().cache_keys, number("cursor") or 0
    if everybody:
        _foreign(run(keys.everybody(text, cursor)))
        commands = keys.page_commands(text, everybody=True)
    else:
        prefix = f"{family}:{text}" if family else text
        _page(run(keys.page(prefix, cursor)))
        commands = keys.page_commands(prefix, everybody=False)
    st.code("\n".join(commands), language="bash", wrap_lines=True)
    if not everybody and (key := st.query_params.get("key")):
        _detail(run(keys.detail(key)))


def _first() -> None:
    """Another choice begins with its first page."""
    forget("cursor", "key")


def _page(panel: Panel[KeyPage]) -> None:
    if panel.value is None:
        st.warning(f"{plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
        return
    found = sorted(panel.value.keys, key=lambda info: info.key)
    if found:
        names = [info.key for info in found]
        asked = st.query_params.get("key", "")
        key = f"keys-{hash(tuple(names))}"
        now, held = services().cache_keys.now(), services().cache_keys.held_by(names)
        st.dataframe(
            [_row(info, now, held[info.key]) for info in found],
            key=key,
            hide_index=True,
            column_config=COLUMNS,
            selection_mode="single-row",
            selection_default={"selection": {"rows": [names.index(asked)] if asked in names else []}},
            on_select=lambda: _select(names, key),
            alt="Table of keys in Redis with size, life, tags and version.",
        )
    elif not panel.value.cursor:
        st.info("No key begins so.", icon=":material/search_off:")
    else:
        st.info("No key on this page: SCAN has looked at a part of Redis; go on.", icon=":material/more_horiz:")
    _paging(
        panel.value.cursor,
        f"{len(found):,} keys, no order; SCAN gives about {PAGE_KEYS} at a time. Choose a row for its value.",
    )


def _row(info: KeyInfo, now: float, in_memory: bool) -> dict[str, Any]:
    fresh = info.expires_at - now if info.expires_at else None
    return {
        "Key": info.key,
        "Type": info.codec,
        "Size": size(info.size_bytes),
        "Fresh for": "—" if fresh is None else "over" if fresh <= 0 else span(timedelta(seconds=fresh)),
        "Kept for": "ever" if info.ttl_seconds is None else span(timedelta(seconds=info.ttl_seconds)),
        "Held by": ["Redis", "memory"] if in_memory else ["Redis"],
        "Priority": info.priority,
        "Tags": [tag for tag in info.tags if not tag.startswith("*")],
        "Version": f"{info.version:x}"[:8],
        "Warm run": info.run,
    }


def _select(names: Sequence[str], widget: str) -> None:
    rows = st.session_state[widget].selection.rows
    if rows:
        st.query_params["key"] = names[rows[0]]
    else:
        forget("key")


def _paging(cursor: int, note: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        further = {"cursor": str(cursor)}
        st.button(
            "Next keys", icon=":material/chevron_right:", on_click=st.query_params.update, args=(further,), disabled=not cursor
        )
        st.button("First keys", icon=":material/first_page:", on_click=forget, args=("cursor",), disabled=not number("cursor"))
        st.caption(note, width="content")


def _foreign(panel: Panel[ForeignPage]) -> None:
    """Anybody's keys: to be seen only."""
    if panel.value is None:
        st.warning(f"{plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
        return
    rows = [
        {
            "Name": found.name,
            "Type": found.type or "may not be asked",
            "Kept for": "ever" if found.ttl_seconds is None else span(timedelta(seconds=found.ttl_seconds)),
            "Whose": "this cache's" if found.ours else "another's: read only",
        }
        for found in panel.value.keys
    ]
    if rows:
        columns = {"Name": st.column_config.TextColumn(width=520)}
        st.dataframe(rows, hide_index=True, width="stretch", column_config=columns)
    else:
        st.info("No key of this Redis fits the pattern on this page.", icon=":material/search_off:")
    _paging(panel.value.cursor, "Only listed: what does not begin with CACHE_PREFIX is never written by the console.")


def _detail(panel: Panel[KeyDetail]) -> None:
    """One key: where it is, for how long, its value, and its actions."""
    detail = panel.value
    if panel.error:
        st.warning(f"{plain(panel.error)} {plain(panel.next_step)}", icon=":material/cloud_off:")
    if detail is None:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(detail.key)}**", width="content")
            if detail.info:
                st.badge("in Redis", color="blue", width="content")
            if detail.memory:
                st.badge("in memory", color="green", width="content")
            if detail.valid is False:
                st.badge("invalidated: the next read loads it", color="orange", width="content")
        st.caption(" · ".join(part for part in _facts(detail) if part))
        if detail.text:
            with st.container(height=320, border=True):
                st.code(detail.text, language="json" if detail.is_json else None, wrap_lines=True)
        if detail.note:
            st.info(detail.note, icon=":material/info:")
        _actions(detail)
        with st.expander("What was asked for it"):
            st.code("\n".join(detail.commands), language="bash", wrap_lines=True)


def _facts(detail: KeyDetail) -> tuple[str, ...]:
    info, memory = detail.info, detail.memory
    fresh = detail.fresh_seconds
    return (
        f"`{detail.name}`",
        f"{info.codec}, {size(info.size_bytes)} in Redis" if info else "",
        "" if fresh is None else f"fresh for {duration(fresh)}" if fresh > 0 else f"past its time by {duration(-fresh)}",
        f"kept for {duration(info.ttl_seconds)}" if info and info.ttl_seconds is not None else "",
        f"its load took {duration(info.load_seconds)}" if info and info.load_seconds else "",
        f"priority {info.priority}" if info and info.priority else "",
        f"version {info.version:x}" if info and info.version else "",
        f"tags {plain(', '.join(detail.tags))}" if detail.tags else "no tags",
        f"warm run {plain(info.run)}" if info and info.run else "",
        f"{size(memory.size_bytes)} in memory for {duration(memory.age_seconds)}" if memory else "",
    )


def _actions(detail: KeyDetail) -> None:
    operations, key = services().cache_operations, detail.key
    with st.container(horizontal=True):
        if detail.refreshable:
            sentence = f"Loads **{plain(key)}** anew and stores it in both tiers. The old value is served until then."
            ask("Refresh", "refresh", "key-refresh", sentence, operations.refresh_commands(key), partial(_refresh, key))
        sentence = f"Removes **{plain(key)}** from Redis and from the memory of every process. The next read loads it."
        ask("Delete", "delete", "key-delete", sentence, operations.delete_commands(key), partial(_delete, key))
    if not detail.refreshable:
        st.caption("Its family has no loader here, so it cannot be refreshed: the caller that reads it brings its own.")


def _refresh(key: str) -> None:
    act(lambda: services().cache_operations.refresh(key, operator=operator()))


def _delete(key: str) -> None:
    act(lambda: services().cache_operations.delete(key, operator=operator()))
