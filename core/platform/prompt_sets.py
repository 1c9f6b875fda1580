"""PromptSets: one or two texts tried on a set of inputs, in the background, as an operation.

Owns the bounds of a set and its order: each input is tried with every text at about the same time, so that a slow minute of the
API is slow for both. People never wait for it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.claude.parts import ClaudeParts
from core.claude.prompt_run import PromptRun
from core.claude.prompt_runs import PAGE_MOST, RunFilter
from core.claude.prompts import PromptVersion
from core.errors import UsageError
from core.operations import Operation, OperationRequest, Operations, Started
from core.platform.prompt_inputs import SET_MOST, PromptInput
from core.platform.prompt_lines import ask_line
from core.platform.prompt_report import Report, report
from core.platform.prompt_trials import Candidate, PromptTrials
from core.ports import Progress

KIND = KEY = "prompts"
CANDIDATES_MOST = 2
AT_ONCE = 8
LOOKED_AT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRequest:
    """What is tried on what; `of` names the inputs, such as "12 leads of austin"."""

    candidates: tuple[Candidate, ...]
    inputs: tuple[PromptInput, ...]
    of: str

    @property
    def title(self) -> str:
        """The trial in words."""
        labels = " and ".join(candidate.label for candidate in self.candidates)
        return f"Try {self.candidates[0].prompt.name}, {labels}, on {self.of}"


class PromptSets:
    """Starts sets, and finds the newest."""

    def __init__(self, operations: Operations, trials: PromptTrials, parts: ClaudeParts) -> None:
        self._operations = operations
        self._trials = trials
        self._parts = parts

    async def start(self, wanted: SetRequest, *, operator: str) -> Started:
        """Try them; raises UsageError for what cannot be asked, OperationError or DependencyError."""
        if not wanted.inputs:
            raise UsageError("The set is empty.", "Choose another market, or other ids.")
        if not 1 <= len(wanted.candidates) <= CANDIDATES_MOST or len(wanted.inputs) > SET_MOST:
            raise UsageError(f"A set has one or two texts and at most {SET_MOST} inputs.")
        most_usd = self._trials.most_usd(wanted.candidates, wanted.inputs)  # Raises before anything is asked.
        group_key = uuid.uuid4().hex
        request = OperationRequest(
            kind=KIND,
            key=KEY,
            title=wanted.title,
            operator=operator,
            parameters={
                "group": group_key,
                "prompt": wanted.candidates[0].prompt.name,
                "texts": [candidate.label for candidate in wanted.candidates],
                "inputs": len(wanted.inputs),
                "most_usd": round(most_usd, 6),
            },
            commands=tuple(ask_line(candidate, wanted.inputs[0]) for candidate in wanted.candidates),
        )
        return await self._operations.start(request, lambda progress: self._run(wanted, group_key, operator, progress))

    async def newest(self, name: str) -> Operation | None:
        """The set of a prompt that runs now, in any process, or its last one among the newest sets."""
        found = await self._operations.list(kind=KIND, limit=LOOKED_AT)
        return next((one for one in found if one.parameters.get("prompt") == name), None)

    async def report(self, group_key: str) -> tuple[Report, tuple[PromptRun, ...]]:
        """What the runs of a set say so far, and the runs; raises DependencyError."""
        runs = await self._parts.runs.search(RunFilter(group_key=group_key), limit=PAGE_MOST)
        return report(runs, await self.texts(runs)), runs

    async def texts(self, runs: Sequence[PromptRun]) -> Mapping[str, PromptVersion]:
        """The text that each of these runs was of, by the run's label."""
        one_of = {run.label: run for run in runs}
        return {
            label: run.text_that_ran() or await self._parts.prompts.get(run.prompt_name, run.prompt_version)
            for label, run in one_of.items()
        }

    async def _run(self, wanted: SetRequest, group_key: str, operator: str, progress: Progress) -> Mapping[str, Any]:
        waiting = iter([(candidate, given) for given in wanted.inputs for candidate in wanted.candidates])
        total = len(wanted.inputs) * len(wanted.candidates)
        outcomes: Counter[str] = Counter()
        spent: list[float | None] = []
        progress("trials made", 0, total)

        async def worker() -> None:
            for candidate, given in waiting:
                ask = self._trials.ask_of(candidate, given, operator=operator, lane="background")
                trial = await self._trials.run(candidate, given, ask, group_key=group_key)
                outcomes[trial.run.outcome] += 1
                spent.append(trial.run.cost_usd)
                progress("trials made", outcomes.total(), total)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, total)):
                group.create_task(worker(), name="prompt set")
        known = [cost for cost in spent if cost is not None]
        return {
            "group": group_key, "trials": total, "answered": outcomes["ok"], "outcomes": dict(outcomes),
            "cost_usd": round(sum(known), 6), "costs_unknown": total - len(known), "rehearsal": self._parts.claude.rehearsal,
        }  # fmt: skip
