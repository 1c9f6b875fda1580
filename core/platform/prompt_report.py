"""Prompt report: what the runs of one group say of each text, and of one against the other.

Owns the arithmetic. Every share and percentile comes with its number of runs; where nothing is known it is None, never 0.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.claude.prompt_run import PromptRun
from core.claude.prompts import PromptVersion
from core.platform.prompt_checks import own_faults, properties, schema_faults

FEW = 20  # Of fewer runs the P95 is the slowest or the one before it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds of so many runs: median and 95th percentile by nearest rank."""

    n: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFigures:
    """One text over the runs of a group; `valid` of `checked` fit the schema, `sound` of `answered` pass our own checks."""

    label: str
    runs: int
    answered: int
    outcomes: Mapping[str, int]
    checked: int
    valid: int
    sound: int
    total: Spread | None
    first_token: Spread | None
    mean_cost_usd: float | None
    costs_known: int
    mean_tokens_in: float | None
    mean_tokens_out: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One field of two texts' answers to the same input."""

    given: str
    before: Any
    after: Any

    @property
    def difference(self) -> float:
        """How much more the second says; of numbers only."""
        return float(self.after) - float(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldComparison:
    """One field over all inputs that both texts answered: a number by its differences, a word by its agreement."""

    field: str
    numeric: bool
    pairs: tuple[Pair, ...]

    @property
    def agreement(self) -> float:
        """Share of the inputs where both say the same."""
        return statistics.fmean(1.0 if pair.before == pair.after else 0.0 for pair in self.pairs)

    @property
    def mean_difference(self) -> float:
        """Mean of the second's number less the first's."""
        return statistics.fmean(pair.difference for pair in self.pairs)

    @property
    def mean_distance(self) -> float:
        """Mean of how far apart the two numbers are, whichever is larger."""
        return statistics.fmean(abs(pair.difference) for pair in self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A group of runs, judged; `fields` is empty unless two texts have answered the same input."""

    texts: tuple[TextFigures, ...]
    fields: tuple[FieldComparison, ...]


def report(runs: Sequence[PromptRun], prompts: Mapping[str, PromptVersion]) -> Report:
    """The report on runs of one or two texts, the older text first; `prompts` has each text under its run's label."""
    in_order = sorted(runs, key=lambda run: (run.prompt_version, bool(run.draft), run.id))
    by_label: dict[str, list[PromptRun]] = {}
    for run in in_order:
        by_label.setdefault(run.label, []).append(run)
    groups = list(by_label.values())
    fields = _compared(groups[0], groups[1], properties(prompts[groups[0][0].label])) if len(groups) == 2 else ()
    return Report(texts=tuple(_figures(prompts[label], group) for label, group in by_label.items()), fields=fields)


def input_key(run: PromptRun) -> str:
    """What two runs on the same input have in common."""
    return run.lead_id or orjson.dumps(dict(run.variables), option=orjson.OPT_SORT_KEYS).decode()


def faults_of(prompt: PromptVersion, run: PromptRun) -> tuple[str, ...]:
    """What is wrong with the answer of a run; nothing of one that has none."""
    if run.outcome != "ok":
        return ()
    faults = schema_faults(prompt.schema, run.answer_value) if prompt.schema is not None else ()
    return (*faults, *own_faults(prompt, run.answer_text, run.answer_value))


def _figures(prompt: PromptVersion, runs: Sequence[PromptRun]) -> TextFigures:
    answered = [run for run in runs if run.outcome == "ok"]
    costs = [run.cost_usd for run in runs if run.cost_usd is not None]
    return TextFigures(
        label=runs[0].label,
        runs=len(runs),
        answered=len(answered),
        outcomes=dict(Counter(run.outcome for run in runs if run.outcome != "ok").most_common()),
        checked=sum(run.schema_valid is not None for run in answered),
        valid=sum(run.schema_valid is True for run in answered),
        sound=sum(not own_faults(prompt, run.answer_text, run.answer_value) for run in answered),
        total=_spread([run.duration_seconds for run in answered]),
        first_token=_spread([run.first_token_seconds for run in answered if run.first_token_seconds is not None]),
        mean_cost_usd=statistics.fmean(costs) if costs else None,
        costs_known=len(costs),
        mean_tokens_in=statistics.fmean(run.usage.all_input_tokens for run in answered) if answered else None,
        mean_tokens_out=statistics.fmean(run.usage.output_tokens for run in answered) if answered else None,
    )


def _compared(
    before: Sequence[PromptRun], after: Sequence[PromptRun], schema: Mapping[str, Any]
) -> tuple[FieldComparison, ...]:
    """The fields of a schema that are numbers, or words out of a list."""
    latest = {input_key(run): run for run in after if _is_object(run)}
    both = [(run, latest[input_key(run)]) for run in before if _is_object(run) and input_key(run) in latest]
    found = []
    for name, form in schema.items():
        numeric = isinstance(form, Mapping) and form.get("type") in ("integer", "number")
        if not numeric and not (isinstance(form, Mapping) and "enum" in form):
            continue
        pairs = tuple(
            Pair(given=input_key(one), before=one.answer_value[name], after=other.answer_value[name])
            for one, other in both
            if name in one.answer_value and name in other.answer_value
            and (not numeric or (_is_number(one.answer_value[name]) and _is_number(other.answer_value[name])))
        )  # fmt: skip
        if pairs:
            found.append(FieldComparison(field=name, numeric=numeric, pairs=pairs))
    return tuple(found)


def _is_object(run: PromptRun) -> bool:
    return run.outcome == "ok" and isinstance(run.answer_value, Mapping)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spread(seconds: Sequence[float]) -> Spread | None:
    if not seconds:
        return None
    ranked = sorted(seconds)
    at = [ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.95)]
    return Spread(n=len(ranked), p50=at[0], p95=at[1])
