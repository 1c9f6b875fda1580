"""One run in full: what went in, what came out, a note beside it, and the same input run again with any version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.claude.prompt_run import PromptRun
from core.claude.prompts import PromptVersion
from core.platform.panel import Panel, within
from core.platform.prompt_inputs import PromptInput
from core.platform.prompt_lines import ask_line
from core.platform.prompt_report import faults_of
from core.platform.prompt_trials import Candidate
from core.ui.prompt_actions import DONE, FAILED
from core.ui.prompt_answer import draw_failure, draw_faults, draw_numbers, draw_text, rehearsal_badge
from core.ui.prompt_data import PromptView, read_prompt
from core.ui.prompt_draft import replace_text
from core.ui.prompt_given import fill
from core.ui.prompt_trial import start
from core.ui.session import attempt, guard, run, services
from core.ui.text import plain
from core.ui.verdict import clock

AS_IT_WAS = 0


def draw_run(run_id: int) -> None:
    """All of a run, or why it cannot be shown."""
    panel: Panel[PromptRun] = run(within(services().claude_parts.runs.get(run_id)))
    one = panel.value
    if one is None:
        st.warning(f"{plain(panel.error)} {plain(panel.next_step)}", icon=":material/search_off:")
        return
    texts = run(within(services().prompt_lab.sets.texts([one]))).value
    prompt = texts[one.label] if texts else None
    with st.container(border=True):
        _head(one)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            if one.answer_text:
                draw_text(one.answer_text, structured=one.answer_value is not None)
            draw_failure(one, "")
            if prompt is not None:
                draw_faults(one, faults_of(prompt, one))
        with right:
            draw_numbers(one)
            _sent(one)
        with st.expander("What went in", icon=":material/input:"):
            for name, value in one.variables.items():
                st.caption(f"${plain(name)}")
                st.code(value, language=None, wrap_lines=True)
        if prompt is not None:
            _again(one, prompt)


def _head(one: PromptRun) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        title = f"Run {one.id}: {plain(one.prompt_name)}, {plain(one.label)}"
        st.markdown(f"**{title}**" + (f" on lead {plain(one.lead_id)}" if one.lead_id else ""), width="content")
        if one.rehearsal:
            rehearsal_badge()
        st.caption(f"{clock(one.created_at, datetime.now(UTC))} by {plain(one.operator)}", width="content")
        if one.lead_id:
            st.page_link("pages/leads.py", label="The lead", icon=":material/groups:", query_params={"lead": one.lead_id})


def _sent(one: PromptRun) -> None:
    sent = one.settings
    st.caption(
        f"{plain(sent.model)}, max\\_tokens {sent.max_tokens:,}, effort {sent.effort or 'as the model has it'}, thinking "
        f"{sent.thinking}, {one.attempts} attempt{'s' if one.attempts != 1 else ''}"
    )
    key = f"run-note-{one.id}"
    st.session_state.setdefault(key, one.note)
    st.text_input("Note", key=key, max_chars=2_000, on_change=_annotate, args=(one.id, key))


def _annotate(run_id: int, key: str) -> None:
    guard("operator")
    st.session_state[FAILED] = attempt(services().claude_parts.runs.annotate(run_id, st.session_state[key]))


def _again(one: PromptRun, prompt: PromptVersion) -> None:
    """The same input with the same text, or with another version of its prompt."""
    view = run(read_prompt(services(), one.prompt_name))
    if view is None:
        return
    was = Candidate(prompt=prompt, draft_of=one.prompt_version if one.draft else 0)
    given = PromptInput(values=one.variables, title=f"what run {one.id} was on", lead_id=one.lead_id)
    numbers = [AS_IT_WAS, *(version.version for version in view.versions)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Run it again with", numbers, key=f"again-{one.id}", width=240,
            format_func=lambda number: f"the same: {was.label}" if number == AS_IT_WAS else _label(number, view),
        )  # fmt: skip
        candidates = _chosen(was, int(chosen), view)
        st.button("Run again", key="prompt_again", icon=":material/replay:", on_click=_replay, args=(one, candidates, given))
        if one.draft:
            st.button(
                "Open as draft", key="prompt_reopen", icon=":material/edit_note:", on_click=_reopen, args=(view, one, prompt)
            )
    st.code(ask_line(candidates[-1], given), language="bash", wrap_lines=True)


def _label(number: int, view: PromptView) -> str:
    return f"version {number}, in use" if number == view.in_use else f"version {number}"


def _chosen(was: Candidate, number: int, view: PromptView) -> Sequence[Candidate]:
    """The same text alone, or it and another version side by side."""
    if number in (AS_IT_WAS, was.prompt.version):
        return (was,)
    return (was, Candidate(prompt=view.version(number)))


def _replay(one: PromptRun, candidates: Sequence[Candidate], given: PromptInput) -> None:
    st.query_params["prompt"] = one.prompt_name
    st.session_state["show_prompt"], st.session_state["on"] = "Run", "By hand"
    fill(one.prompt_name, one.variables)
    start(one.prompt_name, candidates, given)


def _reopen(view: PromptView, one: PromptRun, prompt: PromptVersion) -> None:
    guard("operator")
    base = view.version(one.prompt_version)
    replace_text(base, prompt)
    st.query_params.update({"prompt": one.prompt_name, "version": str(base.version)})
    st.session_state["show_prompt"] = "Edit"
    st.session_state[DONE] = f"The draft of run {one.id} is in the editor of version {base.version}."
