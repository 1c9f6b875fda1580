"""The numbers of a rule as fields of a form, in the units that people use, each beside the shipped one and the one in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.monitor.alerts.looks import KINDS
from core.monitor.alerts.rules import Rule
from core.ui.text import plain

WIDTH = 165  # Two beside each other, also on a narrow screen.


@dataclass(frozen=True, slots=True)
class Field:
    """One number: what is shown is the number times `factor`, in `unit`."""

    name: str
    label: str
    unit: str
    factor: float
    help: str

    def shown(self, value: float | None) -> str:
        """As one says it."""
        return "none" if value is None else f"{self.of(value):,.6g} {self.unit}".rstrip()

    def of(self, value: float) -> float:
        """A number of the rule in the unit of the field."""
        return round(value * self.factor, 9)


def unit_of(rule: Rule) -> tuple[str, float]:
    """The unit of a rule's figure and what to multiply by to get it."""
    if rule.unit == "seconds":
        return ("ms", 1e3) if rule.warning < 1 else ("s", 1.0)
    return {"share": ("%", 100.0), "bytes": ("GB", 1e-9)}.get(rule.unit, ("", 1.0))


def fields_of(rule: Rule) -> tuple[Field, ...]:
    """What can be changed of it; the limits of a server that is up or down cannot."""
    unit, factor = unit_of(rule)
    side = "from" if rule.direction == "above" else "below"
    limits = (
        Field("warning", "Warning", unit, factor, f"It is a warning {side} here on: what is promised."),
        Field("critical", "Critical", unit, factor, f"It may wake somebody {side} here on."),
    )
    times = (
        Field("warning_pending_seconds", "Warning after", "s", 1.0, "So long it has to last before it is a warning."),
        Field("critical_pending_seconds", "Critical after", "s", 1.0, "So long it has to last before it is critical."),
        Field("clear_seconds", "Over after", "s", 1.0, "So long it has to be well clear of the limit before it is over."),
        Field("repeat_seconds", "Said again after", "h", 1 / 3_600, "What is critical and nobody looks after is said again."),
    )
    samples = Field("minimum_samples", "Samples at least", "", 1.0, "With fewer it is not judged.")
    return (
        *(() if rule.unit == "down" else limits),
        *times,
        *(() if rule.kind in KINDS else (samples,)),
    )


def begin(shipped: Rule, in_use: Rule) -> bool:
    """Fill the form with the numbers in use where it has not been; returns whether it was filled."""
    state, new = st.session_state, _key(shipped.name, "enabled") not in st.session_state
    if new:
        state[_key(shipped.name, "enabled")] = in_use.enabled
        state[_key(shipped.name, "wakes")] = in_use.critical is not None
        for field in fields_of(shipped):
            state[_key(shipped.name, field.name)] = field.of(_start(field, shipped, in_use))
    return new


def draw_fields(shipped: Rule, in_use: Rule, wrong: Mapping[str, str]) -> None:
    """The form; `wrong` says under each number what is wrong with it."""
    with st.container(horizontal=True):
        st.toggle("Judged", key=_key(shipped.name, "enabled"), help="Switched off, it is neither judged nor told.")
        st.toggle("May be critical", key=_key(shipped.name, "wakes"), help="Only what is critical may wake somebody.")
    with st.container(horizontal=True):
        for field in fields_of(shipped):
            with st.container(width=WIDTH, gap="xsmall"):
                _draw(field, shipped, in_use, wrong.get(field.name, ""))


def entered(shipped: Rule, in_use: Rule) -> dict[str, Any]:
    """The numbers of the form that are not the shipped ones, as a change of the rule."""
    state = st.session_state
    wakes = state[_key(shipped.name, "wakes")]
    values: dict[str, Any] = {"enabled": state[_key(shipped.name, "enabled")]}
    values["critical"] = _first_critical(shipped, in_use) if wakes else None
    for field in fields_of(shipped):
        if field.name != "critical" or wakes:
            values[field.name] = _number(field, state[_key(shipped.name, field.name)], shipped, in_use)
    return {name: value for name, value in values.items() if value != getattr(shipped, name)}


def forget(rule: str) -> None:
    """Begin again with the numbers in use."""
    for key in [key for key in st.session_state if str(key).startswith(_key(rule, ""))]:
        del st.session_state[key]


def _draw(field: Field, shipped: Rule, in_use: Rule, wrong: str) -> None:
    key = _key(shipped.name, field.name)
    off = field.name == "critical" and not st.session_state[_key(shipped.name, "wakes")]
    now = getattr(in_use, field.name)
    start = field.of(_start(field, shipped, in_use))
    label = f"{field.label} ({field.unit})" if field.unit else field.label
    st.number_input(label, key=key, min_value=0.0, step=_step(start, field.unit), format="%g", disabled=off, help=field.help)
    before = field.shown(getattr(shipped, field.name))
    in_use_words = "" if now == getattr(shipped, field.name) else f", in use {field.shown(now)}"
    st.caption(plain(f"shipped {before}{in_use_words}"))
    if wrong:
        st.markdown(f":red[{plain(wrong.capitalize())}.]")


def _number(field: Field, shown: float, shipped: Rule, in_use: Rule) -> float | int:
    """The number of the rule; what was not touched is what it was, to the last bit."""
    for rule in (in_use, shipped):
        known = getattr(rule, field.name)
        if known is not None and field.of(known) == shown:
            return float(known) if field.name != "minimum_samples" else int(known)
    value = round(shown / field.factor, 12)
    return round(value) if field.name == "minimum_samples" else value


def _start(field: Field, shipped: Rule, in_use: Rule) -> float:
    return _first_critical(shipped, in_use) if field.name == "critical" else float(getattr(in_use, field.name))


def _first_critical(shipped: Rule, in_use: Rule) -> float:
    """The critical limit to begin with where there is none: the warning limit."""
    found = in_use.critical if in_use.critical is not None else shipped.critical
    return in_use.warning if found is None else found


def _step(value: float, unit: str) -> float:
    """A twentieth or so, as a round number; of shares near the whole a tenth of a point."""
    if unit == "%" and value >= 99:
        return 0.1
    for step in (100.0, 50.0, 10.0, 5.0, 1.0, 0.5, 0.1):
        if value >= 10 * step:
            return step
    return 0.01


def _key(rule: str, field: str) -> str:
    return f"workbench-{rule}-{field}"
