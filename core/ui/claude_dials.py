"""The dials of the rehearsal: how fast it answers, what it limits, and which share of its answers goes wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import streamlit as st

from core.claude.rehearsal import DialValues, Faults
from core.claude.rehearsal.dials import WORDS
from core.errors import UsageError
from core.platform.claude_operations import HERE, dial_lines
from core.ui.claude_actions import act
from core.ui.session import operator, services
from core.ui.text import plain

PREFIX = "dial_"
TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "429": ("429 rate limited, %", "More than the account may; with a retry-after."),
        "529": ("529 overloaded, %", "The API is in trouble."),
        "timeout": ("Never answered, %", "It ends at the ask's deadline."),
        "truncate": ("Truncated, %", "It ends early at max_tokens."),
        "cut": ("Cut stream, %", "It ends without the end of the message."),
        "refuse": ("Refused, %", "The model's own refusal."),
        "error": ("Broken, %", "A stream breaks with an error, a plain call answers 500."),
    }
)


@st.fragment
def draw_dials() -> None:
    """The form, what it comes to, and the two buttons; nothing changes before one is pressed."""
    values = services().claude_parts.dials.values
    st.markdown(f"They turn {HERE}. In `.env` the lines below keep them.")
    wanted = None
    fields = st.container()
    try:
        with fields, st.grid(4, min_column_width=170):
            wanted = _wanted(values)
        st.code("\n".join(dial_lines(wanted)), language="bash", wrap_lines=True)
    except UsageError as error:
        st.error(f"{plain(str(error))} {plain(error.next_step)}", icon=":material/error:")
    start = services().claude_operations.dials_at_start()
    with st.container(horizontal=True):
        _button("Turn the dials", "tune", "dials-turn", wanted if wanted != values else None, primary=True)
        _button("As they were at the start", "undo", "dials-reset", start if start != values else None)


def _wanted(values: DialValues) -> DialValues:
    """What the fields say; raises UsageError where they do not go together."""
    first = st.number_input("First token after, s", 0.0, 60.0, values.first_token_seconds, 0.05, key=f"{PREFIX}first")
    speed = _limit("Tokens per second", None if math.isinf(values.tokens_per_second) else values.tokens_per_second)
    requests = _limit("Requests a minute", values.requests_per_minute)
    given = _limit("Input tokens a minute", values.input_tokens_per_minute)
    taken = _limit("Output tokens a minute", values.output_tokens_per_minute)
    retry = st.number_input("Retry-after, s", 0, 3_600, values.retry_after_seconds, key=f"{PREFIX}retry", help="Of a 429.")
    shares = {WORDS[word]: _percent(word, share) / 100 for word, share in values.faults.shares()}
    return replace(
        values,
        first_token_seconds=first,
        tokens_per_second=math.inf if speed is None else speed,
        requests_per_minute=requests,
        input_tokens_per_minute=given,
        output_tokens_per_minute=taken,
        retry_after_seconds=retry,
        faults=Faults(**shares),
    )


def _limit(title: str, now: float | None) -> float | None:
    return st.number_input(
        title, 1.0, None, None if now is None else float(now), 10.0, key=PREFIX + title, placeholder="no limit", format="%.0f"
    )


def _percent(word: str, share: float) -> float:
    title, help = TITLES[word]
    return st.number_input(title, 0.0, 100.0, 100 * share, 1.0, key=PREFIX + word, help=help, format="%g")


def _button(label: str, icon: str, key: str, values: DialValues | None, *, primary: bool = False) -> None:
    """One that turns the dials to these values; disabled where there are none, or they are in use."""
    st.button(
        label, key=key, type="primary" if primary else "secondary", icon=f":material/{icon}:", disabled=values is None,
        on_click=_turn, args=(values,),
    )  # fmt: skip


def _turn(values: DialValues) -> None:
    """In a callback; the fields then show what is in use."""
    if act(lambda: services().claude_operations.turn_dials(values, operator=operator())):
        for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
            del st.session_state[key]
