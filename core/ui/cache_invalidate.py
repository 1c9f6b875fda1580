"""Invalidation on the cache page: what, how far it goes, what it runs, and a word typed to confirm it."""

from __future__ import annotations

from typing import cast, get_args

import streamlit as st

from core.platform.cache_keys import Reach
from core.platform.cache_operations import Scope, What
from core.platform.panel import Panel
from core.platform.units import duration, size
from core.ui.cache_actions import act
from core.ui.session import operator, run, services
from core.ui.text import plain

REACH = "cache_reach"
TYPED = "invalidate_typed"


def invalidate_form() -> None:
    """The choice, its estimate on request, and the action."""
    st.caption(
        "Everything that carries a tag gets invalid in one step, however much it is; the next read of each key loads it."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.segmented_control(
            "Invalidate",
            [word.capitalize() for word in get_args(What)],
            default="Tag",
            required=True,
            key="what",
            bind="query-params",
        )
        scope = _scope(cast("What", words.lower()))
        wanted = scope is not None and bool(scope.tag)
        st.button(
            "Estimate",
            icon=":material/calculate:",
            key="invalidate_estimate",
            disabled=not wanted,
            on_click=_estimate,
            args=(scope,),
        )
    if scope is None:
        st.info("Name a tag as it stands at a key, such as market:austin, leads or properties.", icon=":material/label:")
        return
    st.code("\n".join(services().cache_operations.invalidate_commands(scope)), language="bash", wrap_lines=True)
    asked: tuple[str, Panel[Reach]] | None = st.session_state.get(REACH)
    if asked is None or asked[0] != scope.tag:
        st.caption("Estimate looks at 20,000 keys at most, by SCAN, and changes nothing.")
        return
    _told(asked[1])
    _confirm(scope)


def _scope(what: What) -> Scope | None:
    if what == "everything":
        return Scope("everything")
    if what == "family":
        names = [family.name for family in services().cache.families]
        return Scope("family", st.selectbox("Family", names, key="invalidate_family", bind="query-params"))
    tag = st.text_input("Tag", key="tag", bind="query-params", placeholder="market:austin").strip()
    return Scope("tag", tag) if tag else None


def _estimate(scope: Scope) -> None:
    st.session_state[REACH] = (scope.tag, run(services().cache_keys.reach(scope.tag)))
    st.session_state.pop(TYPED, None)


def _told(panel: Panel[Reach]) -> None:
    reach = panel.value
    if reach is None:
        st.warning(
            f"How far it goes cannot be told: {plain(panel.error)} {plain(panel.next_step)} An invalidation still holds here "
            "at once, and in Redis when it answers.",
            icon=":material/cloud_off:",
        )
        return
    least = "" if reach.complete else "at least "
    seen = "all keys were looked at" if reach.complete else f"{reach.scanned:,} keys were looked at, and there are more"
    again = duration(reach.load_seconds) if reach.load_seconds else "0 s"
    held = f"{reach.memory_entries:,} values, {size(reach.memory_bytes)}"
    numbers = (
        ("Keys in Redis", f"{least}{reach.keys:,}", seen),
        ("Of this process' memory", f"{reach.memory_share:.0%}", held),
        ("Loaders' time to fill it again", f"{least}{again}", "as their last loads took"),
    )
    with st.grid(3, min_column_width=180):
        for label, value, note in numbers:
            st.metric(label, value, note, delta_color="off", delta_arrow="off", border=True, height="stretch")


def _confirm(scope: Scope) -> None:
    refusal = services().cache_operations.refusal()
    if refusal:
        st.warning(refusal, icon=":material/lock:")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(f"Type {scope.word} to confirm", key=TYPED, autocomplete="off", disabled=bool(refusal))
        st.button(
            f"Invalidate {scope.title}",
            key="invalidate_now",
            type="primary",
            icon=":material/delete_sweep:",
            disabled=bool(refusal) or typed.strip() != scope.word,
            on_click=_invalidate,
            args=(scope,),
        )


def _invalidate(scope: Scope) -> None:
    typed = str(st.session_state.get(TYPED, ""))
    if act(lambda: services().cache_operations.invalidate(scope, typed=typed, operator=operator())):
        st.session_state.pop(REACH, None)
        st.session_state.pop(TYPED, None)
