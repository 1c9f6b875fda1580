"""The run section of the prompts page: which texts, on what, the state that Claude is in, and the way to the runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from core.claude.prompts import PromptVersion
from core.platform.prompt_lines import ask_line
from core.platform.prompt_trials import Candidate
from core.ui.prompt_answer import rehearsal_badge
from core.ui.prompt_data import PromptView
from core.ui.prompt_draft import candidate_of, is_changed, model_words
from core.ui.prompt_given import SET, choose_input, choose_source
from core.ui.prompt_set import draw_set
from core.ui.prompt_trial import draw_sides, last_sides, start, stop
from core.ui.session import services
from core.ui.text import plain
from core.ui.verdict import span

DRAFT, NONE = "draft", "none"


def draw_try(view: PromptView, opened: PromptVersion, markets: Mapping[str, str]) -> None:
    """The choice of texts and input, the buttons, and what runs."""
    _claude_state()
    candidates = _choose_texts(view, opened)
    for one in candidates:
        if words := model_words(one.prompt):
            st.warning(f"{plain(one.label.capitalize())}: {plain(words)}", icon=":material/event_busy:")
    variables = tuple(dict.fromkeys(name for one in candidates for name in one.prompt.variables))
    source = choose_source(variables)
    if source == SET:
        draw_set(view.name, candidates, markets)
        return
    given = choose_input(view.name, source, variables, markets)
    sides = last_sides(view.name)
    runs = sides is not None and not sides.over
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Run both" if len(candidates) > 1 else "Run", key="prompt_run", type="primary", icon=":material/play_arrow:",
            disabled=given is None or runs, on_click=start, args=(view.name, candidates, given),
        )  # fmt: skip
        st.button("Stop", key="prompt_stop", icon=":material/stop:", disabled=not runs, on_click=stop, args=(view.name,))
        st.caption("Each run asks Claude anew and is kept in the history.", width="content")
    if given is not None:
        st.code("\n".join(ask_line(one, given) for one in candidates), language="bash", wrap_lines=True)
        _preview(candidates, given.values)
    if sides is not None:
        draw_sides(sides)


def _claude_state() -> None:
    """What would keep a run from its answer."""
    parts = services().claude_parts
    stats, budget = parts.scheduler.stats(), parts.budget.stats()
    if services().claude.rehearsal:
        with st.container(horizontal=True, vertical_alignment="center"):
            rehearsal_badge()
            st.caption("No key is set: answers, times and costs are rehearsed, and nothing is paid.", width="content")
    if budget.limit_usd - budget.spent_usd <= 0:
        st.error(
            "Today's budget is used up, so runs end as over budget. **Next:** Raise CLAUDE\\_BUDGET\\_DAY\\_USD, or wait for "
            "the next day (UTC).",
            icon=":material/savings:",
        )
    if stats.breaker.state in ("open", "forced_open"):
        st.error(
            "Claude failed so often that it is left alone for a moment: runs wait for it. **Next:** The Claude page says how "
            "it stands.",
            icon=":material/cloud_off:",
        )
    if stats.hold_seconds_left:
        left = span(timedelta(seconds=stats.hold_seconds_left))
        st.info(f"Background work is held for {left} more: sets wait, single runs do not.", icon=":material/pause:")


def _choose_texts(view: PromptView, opened: PromptVersion) -> tuple[Candidate, ...]:
    """The first text, and one beside it: at first the one that answers, and the one that is opened or being written."""
    draft = candidate_of(opened)
    if draft is None and is_changed(opened):
        st.info("The draft cannot work yet, or changes only its note: Edit says what is wrong.", icon=":material/edit_note:")
    options = [*([DRAFT] if draft else []), *(str(one.version) for one in view.versions)]
    second = DRAFT if draft else str(opened.version)
    second = second if second != str(view.in_use) else next((one for one in options if one != str(view.in_use)), NONE)
    with st.grid(2, min_column_width=180):
        one = _text_choice("Text", "text", options, str(view.used.version), view)
        other = _text_choice("Beside it", "beside", [NONE, *options], second if second in options else NONE, view)
    names = [one] if other in (NONE, one) else [one, other]
    return tuple(draft if name == DRAFT and draft else Candidate(prompt=view.version(int(name))) for name in names)


def _text_choice(label: str, key: str, options: list[str], default: str, view: PromptView) -> str:
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    chosen = st.selectbox(
        label, options, index=options.index(default), key=key, bind="query-params",
        format_func=lambda name: _text_label(name, view),
    )  # fmt: skip
    return str(chosen)


def _text_label(name: str, view: PromptView) -> str:
    if name == NONE:
        return "nothing"
    if name == DRAFT:
        return "the draft, not saved"
    words = f"version {name}" if name != "0" else "the shipped text"
    return f"{words}, in use" if name == str(view.in_use) else words


def _preview(candidates: tuple[Candidate, ...], values: Mapping[str, str]) -> None:
    with st.expander("What is asked", icon=":material/visibility:"):
        for one in candidates:
            lacking = [name for name in one.prompt.variables if name not in values]
            if lacking:
                st.warning(f"{plain(one.label)} needs {plain(', '.join(lacking))}.", icon=":material/data_object:")
                continue
            known = {name: values[name] for name in one.prompt.variables}
            st.caption(plain(one.label.capitalize()))
            st.code(one.prompt.render(known).turns[0].text, language=None, wrap_lines=True)
