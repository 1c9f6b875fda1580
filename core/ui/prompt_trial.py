"""One or two texts run on one input, side by side, as their answers come; they go on over reruns of the page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import CoreError
from core.platform.prompt_inputs import PromptInput
from core.platform.prompt_trials import Candidate, Trial
from core.ui.prompt_actions import failed
from core.ui.prompt_answer import draw_failure, draw_faults, draw_numbers, draw_text, rehearsal_badge
from core.ui.session import guard, operator, services
from core.ui.streamed import Streamed, draw_until_over
from core.ui.text import plain

SIDES = "prompt_sides"


@dataclass(slots=True)
class Side:
    """One text that runs or ran: its stream with what arrived, and what came of it."""

    candidate: Candidate
    stream: Streamed[Trial]
    trial: Trial | None = None
    fault: str = ""

    @property
    def over(self) -> bool:
        """Whether it is known what came of it."""
        return self.trial is not None or bool(self.fault)


@dataclass(slots=True)
class Sides:
    """What ran side by side last, for one prompt in this session."""

    given: PromptInput
    rehearsal: bool
    sides: list[Side] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether all answers are there."""
        return all(side.over for side in self.sides)


def last_sides(name: str) -> Sides | None:
    """What ran last for a prompt."""
    found: Sides | None = st.session_state.get(SIDES, {}).get(name)
    return found


def start(name: str, candidates: Sequence[Candidate], given: PromptInput) -> None:
    """The callback that asks: all texts at once, as one group of runs."""
    guard("operator")
    failed("")
    stop(name)
    group, trials, who = uuid.uuid4().hex, services().prompt_lab.trials, operator()
    sides = Sides(given=given, rehearsal=services().claude.rehearsal)
    try:
        streams = [trials.stream(candidate, given, operator=who, group_key=group) for candidate in candidates]
    except CoreError as error:
        failed(f"{error} {error.next_step}")
        return
    sides.sides = [Side(candidate, Streamed(stream)) for candidate, stream in zip(candidates, streams, strict=True)]
    st.session_state.setdefault(SIDES, {})[name] = sides


def stop(name: str) -> None:
    """The callback that ends what runs; the history keeps what had arrived."""
    sides = last_sides(name)
    for side in sides.sides if sides is not None else ():
        if side.stream.over and not side.over:
            _end(side)
        elif not side.over:
            side.stream.close()
            side.fault = "Stopped: what had arrived is incomplete. The history has it."


def draw_sides(sides: Sides) -> None:
    """What runs, as it comes, or what came of it."""
    st.caption(f"On {plain(sides.given.title)}")
    boxes = []
    for column, side in zip(st.columns(len(sides.sides), gap="medium"), sides.sides, strict=True):
        with column, st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(side.candidate.label.capitalize())}**", width="content")
                if sides.rehearsal:
                    rehearsal_badge()
            boxes.append(st.empty())
    for side, box in zip(sides.sides, boxes, strict=True):
        _draw(side, box)
    if not sides.over:
        _follow(sides, boxes)


def _follow(sides: Sides, boxes: Sequence[DeltaGenerator]) -> None:
    running = [(side, box) for side, box in zip(sides.sides, boxes, strict=True) if not side.over]
    draw_until_over([side.stream for side, _ in running], lambda position, _: _draw(*running[position]))
    for side, _ in running:
        _end(side)
    st.rerun()  # The buttons above were drawn while it ran.


def _end(side: Side) -> None:
    try:
        side.trial = side.stream.result()
    except CoreError as error:
        side.fault = f"{error} {error.next_step}"
    except CancelledError:
        side.fault = side.fault or "It was ended."


def _draw(side: Side, box: DeltaGenerator) -> None:
    structured = side.candidate.prompt.schema is not None
    text = side.stream.text
    with box.container():
        if text:
            draw_text(text, structured=structured)
        if not side.over:
            st.caption(
                ":material/hourglass: The answer comes in." if text else ":material/hourglass: Waiting for the first words."
            )
        elif side.trial is None:
            st.warning(plain(side.fault), icon=":material/stop_circle:")
        else:
            _ended(side.trial)


def _ended(trial: Trial) -> None:
    draw_failure(trial.run, trial.next_step)
    draw_numbers(trial.run)
    draw_faults(trial.run, trial.faults)
    if trial.run.id:
        st.caption(f"Kept as run {trial.run.id}. It was asked anew: the answers' cache was neither read nor written.")
    else:
        st.caption(":orange[The store is away: the run is kept when it is back.]")
