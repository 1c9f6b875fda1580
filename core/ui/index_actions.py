"""What an operator does with indexes: preflight, build, take back, adopt, follow; each with the exact SQL and command line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import streamlit as st

from core.database.indexes.catalog import SetIndex
from core.operations import Started
from core.platform.commands import migrate_line
from core.platform.index_builds import IndexBuild
from core.platform.index_overview import IndexView
from core.ui.data_panels import refusal
from core.ui.index_preflight import Asked, ask_names, asked_of, draw_preflight
from core.ui.index_proof import index_proofs
from core.ui.index_tables import INDEX_STATES
from core.ui.operation_panels import MESSAGE
from core.ui.session import attempt, guard, operator, services
from core.ui.text import plain

TARGET = "index_target"


def chosen_indexes(view: IndexView, names: Sequence[str]) -> None:
    """The chosen indexes: why they are there, what each action runs, and the actions."""
    chosen = [one for one in view.set.value or () if one.notes.name in names]
    if not chosen:
        return
    with st.container(border=True):
        for one in chosen:
            _notes(one)
        typed = _ask_target()
        wanted = [one for one in chosen if one.state.state in ("absent", "invalid")]
        asked = asked_of(tuple(one.notes.name for one in wanted))
        busy = "An index is being built or dropped: one runs at a time." if view.work else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            if wanted:
                _build(wanted, asked, typed, busy)
            _take_back([one for one in chosen if one.state.droppable], typed, busy)
            _adopt([one for one in chosen if not one.agrees], typed, busy)
            if why_not := refusal(typed):
                st.caption(why_not)
        if wanted:
            draw_preflight(asked)
            st.caption("What a build runs")
            _lines("up", wanted, _building(wanted))
        index_proofs(chosen)


def _building(wanted: Sequence[SetIndex]) -> list[str]:
    """The statements of a build: what is broken is dropped first."""
    dropped = {one.notes.name: [one.notes.take_back] if one.state.state == "invalid" else [] for one in wanted}
    return [statement for one in wanted for statement in (*dropped[one.notes.name], one.notes.create_statement)]


def _notes(one: SetIndex) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(one.notes.name)}** on {plain(one.notes.table)}", width="content")
        st.badge(one.state.state, color=INDEX_STATES[one.state.state], width="content")
    serves = ", ".join(f"`{name}`" for name in one.notes.serves)
    st.markdown(f"{plain(one.notes.why)} Serves {serves}.")
    if one.state.state == "building":
        st.caption(":material/arrow_upward: Its steps are shown at the top of the page.")
    elif one.state.state in ("invalid", "different"):
        another = "There is another index of this name: " if one.state.state == "different" else ""
        st.warning(f"{another}{plain(one.state.detail)}\n\n**Next:** {plain(one.state.next_step)}", icon=":material/warning:")
    if one.same_as:
        st.caption(f":material/info: {plain(', '.join(one.same_as))} is the same index under another name.")


def _ask_target() -> str | None:
    """The field for the target's name, where it must be typed."""
    settings = services().settings
    if settings.database_embedded or settings.effective_mode != "operate":
        return None
    label = f"This changes indexes of {settings.target_name}, which is not the embedded database: type its name to allow it"
    return st.text_input(label, key=TARGET, autocomplete="off")


def _build(wanted: Sequence[SetIndex], asked: Asked | None, typed: str | None, busy: str) -> None:
    """Preflight, then the build, which waits for the preflight's word."""
    names = tuple(one.notes.name for one in wanted)
    st.button("Preflight", key="index_preflight", icon=":material/checklist:", on_click=ask_names, args=(names,))
    word = asked.word if asked else ""
    unasked = {"": "Ask the preflight first.", "NO": "The preflight says NO.", "unknown": "The preflight gave no answer."}
    why_not = busy or refusal(typed) or unasked.get(word, "")
    label = "Build" if len(wanted) == 1 else f"Build {len(wanted)}"
    st.button(
        label, key="index_build", type="primary", icon=":material/construction:", disabled=bool(why_not), help=why_not or None,
        on_click=_start, args=(lambda: services().indexes.start_up(names, operator=operator(), typed=typed),),
    )  # fmt: skip


def _take_back(there: Sequence[SetIndex], typed: str | None, busy: str) -> None:
    if not there:
        return
    names = [one.notes.name for one in there]
    served = sorted({name for one in there if one.state.state == "valid" for name in one.notes.serves})
    slower = f" Without it these queries may read the whole table again: {', '.join(served)}." if served else ""
    sentence = f"Drops {', '.join(names)} beside running reads and writes. No row is lost, and it can be built again.{slower}"
    _confirmed(
        "Take back", "undo", sentence, "down", there, [one.notes.take_back for one in there], busy or refusal(typed),
        lambda: services().indexes.start_down(names, operator=operator(), typed=typed),
    )  # fmt: skip


def _adopt(wrong: Sequence[SetIndex], typed: str | None, busy: str) -> None:
    if not wrong:
        return
    names = [one.notes.name for one in wrong]
    sentence = f"Brings Alembic's record in line with what is there, and touches no index: {', '.join(names)}."
    _confirmed(
        "Adopt", "fact_check", sentence, "adopt", wrong, [], busy or refusal(typed),
        lambda: services().indexes.start_adopt(names, operator=operator(), typed=typed),
    )  # fmt: skip


def follow(build: IndexBuild) -> None:
    """The action on a build that somebody else runs: watch it to its end as an operation."""
    settings = services().settings
    typed = None if settings.database_embedded else str(st.session_state.get(TARGET, ""))
    with st.popover("Follow", icon=":material/visibility:", key=f"ask-follow-{build.index}"):
        st.markdown(
            "Watches this build to its end as an operation: a valid index is put on record, what a failed one leaves is"
            " dropped. Cancelling the operation ends the build."
        )
        st.code(migrate_line("up", [build.index], typed), language="bash", wrap_lines=True)
        if not settings.database_embedded and settings.effective_mode == "operate":
            typed = st.text_input(f"Type {settings.target_name} to allow it", key="follow_target", autocomplete="off")
        why_not = refusal(typed)
        st.button(
            "Follow this build", key=f"follow-{build.index}", type="primary", disabled=bool(why_not), help=why_not or None,
            on_click=_start, args=(lambda: services().indexes.start_follow(build.index, operator=operator(), typed=typed),),
        )  # fmt: skip


def _confirmed(
    label: str, icon: str, sentence: str, action: str, ones: Sequence[SetIndex], statements: Sequence[str], why_not: str,
    work: Callable[[], Coroutine[Any, Any, Started]],
) -> None:  # fmt: skip
    """A button that opens what the action does and runs, and the one that does it."""
    with st.popover(label, icon=f":material/{icon}:", key=f"ask-{action}"):
        st.markdown(plain(sentence))
        _lines(action, ones, statements)
        st.button(
            f"{label} now", key=f"index_{action}", type="primary", icon=f":material/{icon}:", disabled=bool(why_not),
            help=why_not or None, on_click=_start, args=(work,),
        )  # fmt: skip


def _lines(action: str, ones: Sequence[SetIndex], statements: Sequence[str]) -> None:
    """The exact SQL, and the line of the command line."""
    settings = services().settings
    target = None if settings.database_embedded else settings.target_name
    if statements:
        st.code("".join(f"{statement};\n" for statement in statements).rstrip(), language="sql", wrap_lines=True)
    st.code(migrate_line(action, [one.notes.name for one in ones], target), language="bash", wrap_lines=True)


def _start(work: Callable[[], Coroutine[Any, Any, Started]]) -> None:
    """Start in a callback, with the role checked again; what went wrong, or who was first, is kept for `draw_message`."""
    guard("operator")
    box: list[Started] = []

    async def kept() -> None:
        box.append(await work())

    st.session_state[MESSAGE] = attempt(kept())
    if box and not box[0].created:
        first = box[0].operation
        text = f"{first.title} runs already, started by {first.operator}: nothing new was started."
        st.session_state[MESSAGE] = plain(text)
