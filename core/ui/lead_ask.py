"""Asking Claude about the lead that is open: what runs, what came of it, and when it is asked.

Opening a lead is the question that an operator wants answered in two seconds, so Claude is asked then, unless the switch is
off: then only an answer that is kept is shown, and a button asks. Either way once: what came of it, also a failure or a stop,
stays in the session for this lead, its canonical form and the prompt's version, and a stream goes on over reruns. Opening
another lead ends the one that runs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import streamlit as st

from core.errors import CoreError
from core.platform.lead_analyses import CACHING, AnalysedLead, Failure
from core.platform.panel import within
from core.ui.session import guard, operator, run, services
from core.ui.streamed import Streamed, draw_until_over

ASKED, RUNNING, WANTED = "lead_asked", "lead_running", "lead_wanted"
KEPT_MOST = 50  # Of one session; what is older is asked again, and is a hit then.
LOOK_SECONDS = 0.5
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one ask came to, and when; `found` is None when it was stopped. `text` is all that had arrived."""

    found: AnalysedLead | None
    at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """An ask that runs, over reruns of the page."""

    key: Key
    stream: Streamed[AnalysedLead]


def key_of(by_rules: AnalysedLead) -> Key:
    """What an analysis is kept for in the session."""
    subject = by_rules.subject
    return (subject.lead_id or subject.facts, by_rules.prompt.label, by_rules.canonical.text)


def asked_before(by_rules: AnalysedLead) -> Asked | None:
    """What this session knows already."""
    known: dict[Key, Asked] = st.session_state.get(ASKED, {})
    return known.get(key_of(by_rules))


def begin(by_rules: AnalysedLead, *, on_opening: bool) -> Running | None:
    """The ask that runs for this lead: the one that runs already, or a new one where one is wanted; ends that of another."""
    key = key_of(by_rules)
    running: Running | None = st.session_state.get(RUNNING)
    if running is not None and running.key == key:
        return running
    leave()
    wanted: tuple[Key, bool] | None = st.session_state.pop(WANTED, None)
    pressed = wanted is not None and wanted[0] == key
    if not pressed and (asked_before(by_rules) is not None or not (on_opening or _is_kept(by_rules))):
        return None
    fresh = wanted is not None and pressed and wanted[1]
    stream = services().lead_analyses.stream(by_rules.subject, operator=operator(), fresh=fresh)
    st.session_state[RUNNING] = running = Running(key, Streamed(stream))
    return running


def follow(running: Running, by_rules: AnalysedLead, draw: Callable[[str], None]) -> Asked:
    """Draw the text as it comes until it is over, and keep what came of it."""
    draw(running.stream.text)
    draw_until_over([running.stream], lambda _, text: draw(text))
    asked = Asked(found=_result(running, by_rules), at=datetime.now(UTC), text=running.stream.text)
    st.session_state.pop(RUNNING, None)
    _keep(running.key, asked)
    return asked


def leave() -> None:
    """End what runs: nobody looks at it any more."""
    running: Running | None = st.session_state.pop(RUNNING, None)
    if running is not None:
        running.stream.close()


def stop() -> None:
    """The callback of the stop button: what arrived stays, and is said to be incomplete."""
    running: Running | None = st.session_state.get(RUNNING)
    if running is not None:
        _keep(running.key, Asked(found=None, at=datetime.now(UTC), text=running.stream.text))
        leave()


def ask(key: Key, fresh: bool) -> None:
    """The callback of the buttons that ask."""
    guard("operator")
    st.session_state[WANTED] = (key, fresh)


def _keep(key: Key, asked: Asked) -> None:
    known: dict[Key, Asked] = st.session_state.setdefault(ASKED, {})
    known.pop(key, None)
    known[key] = asked
    while len(known) > KEPT_MOST:
        del known[next(iter(known))]


def _result(running: Running, by_rules: AnalysedLead) -> AnalysedLead | None:
    try:
        return running.stream.result()
    except CancelledError:  # The services end.
        return None
    except CoreError as error:
        failure = Failure(kind="other", message=str(error), next_step=error.next_step)
        return replace(by_rules, failure=failure)


def _is_kept(by_rules: AnalysedLead) -> bool:
    """Whether an answer lies in Redis; no read of the cache is counted, and without Redis it is not known."""
    return run(_life_left(by_rules)) is not None


async def _life_left(by_rules: AnalysedLead) -> float | None:
    question = await services().lead_analyses.ask_of(by_rules.canonical, operator=operator())
    key = services().claude.key(question, CACHING)
    left = await within(services().cache.remaining_seconds([key]), LOOK_SECONDS)
    return (left.value or {}).get(key)
