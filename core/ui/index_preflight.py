"""The preflight of the index page, for the set and for pasted SQL: sentences that end in GO, WAIT or NO."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from core.database.indexes.cost import IndexCost
from core.database.indexes.preflight import Preflight, Reason
from core.platform.commands import migrate_line
from core.platform.panel import Panel, within
from core.platform.units import duration, percent, size
from core.ui.session import guard, run, services
from core.ui.text import plain
from core.ui.verdict import clock

Word = Literal["GO", "WAIT", "NO", "unknown"]
ASKED = "index_preflight_asked"
EACH_SECONDS, ALL_SECONDS = 15.0, 60.0  # A table that is locked costs two seconds of waiting, at most ten of trying.
MOST_CHARACTERS = 2_000
PLACEHOLDER = "CREATE INDEX CONCURRENTLY leads_status_idx ON leads (status)"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, when, and each answer; it holds for what was asked alone."""

    about: tuple[str, ...]
    at: datetime
    answers: tuple[Panel[Preflight], ...]

    @property
    def word(self) -> Word:
        """The worst of all answers."""
        words: set[Word] = {answer.value.verdict if answer.value else "unknown" for answer in self.answers}
        order: tuple[Word, ...] = ("NO", "unknown", "WAIT", "GO")
        return next(word for word in order if word in words)


def ask_names(names: tuple[str, ...]) -> None:
    """The callback of Preflight: ask about each of these, in order."""
    guard("viewer")
    st.session_state[ASKED] = Asked(names, datetime.now(UTC), run(_ask(names), ALL_SECONDS + 1))


async def _ask(abouts: Sequence[str]) -> tuple[Panel[Preflight], ...]:
    return tuple([await within(services().indexes.preflight(about), EACH_SECONDS) for about in abouts])


def asked_of(about: tuple[str, ...]) -> Asked | None:
    """The last answers, if they are about exactly these."""
    asked: Asked | None = st.session_state.get(ASKED)
    return asked if asked is not None and asked.about == about and about else None


def draw_preflight(asked: Asked | None) -> None:
    """Each answer in sentences, its word last."""
    if asked is None:
        st.caption(
            "The preflight tries the statement on an empty copy and looks for who would keep it waiting; it changes nothing."
        )
        return
    for answer in asked.answers:
        if answer.value is None:
            st.error(f"{plain(answer.error)} {plain(answer.next_step)}", icon=":material/error:")
            continue
        text = "\n\n".join(sentences(answer.value))
        if answer.value.verdict == "GO":
            st.success(text, icon=":material/check_circle:")
        elif answer.value.verdict == "WAIT":
            st.warning(text, icon=":material/hourglass:")
        else:
            st.error(text, icon=":material/block:")
    waits = " A build started now waits for them; reads and writes go on meanwhile." if asked.word == "WAIT" else ""
    st.caption(f"As it was at {clock(asked.at, datetime.now(UTC))}.{waits}")


def sentences(found: Preflight) -> tuple[str, ...]:
    """One preflight in words: what it will take, what is worth knowing, and the verdict with its reasons."""
    notes = [_reason(reason) for reason in found.reasons if reason.weight == "GO"]
    deciding = [_reason(reason) for reason in found.reasons if reason.weight == found.verdict != "GO"]
    later = [_reason(reason) for reason in found.reasons if reason.weight not in ("GO", found.verdict)]
    why = " ".join(deciding) or "It can be built now, beside running reads and writes."
    cost = _cost(found.cost) if found.cost is not None else ""
    name = f"**{plain(found.index)}**" if found.index else "An index without a name"
    parts = (f"{name}. {cost}".strip(), *notes, *later, f"**{found.verdict}.** {why}")
    return tuple(part for part in parts if part)


def _reason(reason: Reason) -> str:
    return plain(f"{reason.text} {reason.next_step}".strip())


def _cost(cost: IndexCost) -> str:
    held = (
        f"It will hold {cost.entries:,} of {cost.rows:,} rows"
        if cost.entries != cost.rows
        else f"It will hold {cost.rows:,} rows"
    )
    if cost.size_bytes is None or cost.seconds is None:
        return f"{held}."
    sort = f", {size(cost.sort_bytes)} of sort files (maintenance_work_mem is {cost.memory})" if cost.sort_bytes else ""
    heap = f" {percent(cost.hot_share)} of the table's updates are heap-only." if cost.hot_share is not None else ""
    text = (
        f"{held}: about {size(cost.size_bytes)}, {size(cost.wal_bytes or 0)} of write-ahead log{sort}, and about "
        f"{duration(cost.seconds) if cost.seconds >= 1 else 'a second'} on two cores.{heap}"
    )
    return plain(text)


def statement_form() -> None:
    """A CREATE INDEX of the operator's own, checked and never run."""
    st.caption(
        "Checks a CREATE INDEX of your own on an empty copy and runs nothing. The console builds only what is a revision in"
        " alembic/platform/, so that it can be taken back."
    )
    text = st.text_area(
        "Statement", key="statement", bind="query-params", placeholder=PLACEHOLDER, max_chars=MOST_CHARACTERS, height=110
    ).strip()
    about = f"{text} "  # With a space it is a statement, never a name of the set.
    st.button("Check", key="index_check", type="primary", icon=":material/checklist:", disabled=not text,
              on_click=ask_names, args=((about,),))  # fmt: skip
    if text:
        draw_preflight(asked_of((about,)))
        st.code(f"{migrate_line('preflight', ())} --sql {shlex.quote(text)}", language="bash", wrap_lines=True)
