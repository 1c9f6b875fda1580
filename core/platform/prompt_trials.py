"""PromptTrials: tries versions and drafts of prompts on inputs, and keeps every run.

Owns the way of a trial: it asks Claude anew, lies in no cache, is not repaired, and ends in the history whatever came of it,
also when it was stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from core.claude.messages import Ask, AttemptRecord, Lane, OnText
from core.claude.parts import ClaudeParts
from core.claude.plain import plain_text
from core.claude.prompt_run import ANSWER_MAX, PromptRun, label_of, run_of
from core.claude.prompts import PromptVersion
from core.claude.streams import streamed
from core.errors import ClaudeError
from core.platform.prompt_checks import own_faults, schema_faults
from core.platform.prompt_inputs import PromptInput
from core.settings import Settings

UNKNOWN_COSTS = ("timeout", "cut_stream", "down", "stopped")  # Nobody can tell what the API bills for these.
STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A text to be tried: a version, or a draft and the version that it was made from."""

    prompt: PromptVersion
    draft_of: int = 0

    @property
    def label(self) -> str:
        """What it is called: version 3, draft 1f0c9a2b."""
        return label_of(self.prompt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run, with its number where the store has it, what is wrong with its answer, and what to do where it failed."""

    run: PromptRun
    faults: tuple[str, ...] = ()
    next_step: str = ""


class PromptTrials:
    """Runs trials, one at a time or side by side."""

    def __init__(self, settings: Settings, parts: ClaudeParts) -> None:
        self._settings = settings
        self._parts = parts

    def ask_of(self, candidate: Candidate, given: PromptInput, *, operator: str, lane: Lane = "interactive") -> Ask:
        """What is asked; raises UsageError for a value that is missing, or a request that its model does not take."""
        request = self._parts.request_of(candidate.prompt, given.of(candidate.prompt))
        self._parts.models.check_request(request)
        return Ask(
            request=request,
            prompt_name=candidate.prompt.name,
            prompt_version=candidate.prompt.label,
            operator=operator,
            lane=lane,
            # How long it takes is what is to be seen, so a slow text is not cut off where production would give up.
            deadline_seconds=self._settings.claude_background_timeout_seconds,
        )

    def most_usd(self, candidates: Sequence[Candidate], inputs: Sequence[PromptInput]) -> float:
        """Dollars that these runs cannot exceed; raises as `ask_of`."""
        asks = (self.ask_of(candidate, given, operator="") for candidate in candidates for given in inputs)
        return sum(self._parts.prices.most_usd(ask.request) for ask in asks)

    def stream(self, candidate: Candidate, given: PromptInput, *, operator: str, group_key: str) -> AsyncIterator[str | Trial]:
        """The text as it comes, then the trial; leaving early ends the call, and the run is kept as stopped."""
        ask = self.ask_of(candidate, given, operator=operator)
        return streamed(lambda on_text: self.run(candidate, given, ask, group_key=group_key, on_text=on_text))

    async def run(
        self, candidate: Candidate, given: PromptInput, ask: Ask, *, group_key: str, on_text: OnText | None = None
    ) -> Trial:
        """One trial, whatever comes of it; raises no ClaudeError."""
        watched = _Watched(on_text)
        record = _Recorder(self._parts, candidate, given, ask, group_key, watched)
        try:
            answer = await self._parts.claude.ask(ask, on_text=watched.see, on_attempt=watched.attempts.append)
        except ClaudeError as error:
            return await self._kept(Trial(run=record.failed(error), next_step=error.next_step))
        except asyncio.CancelledError:
            stopped = ClaudeError("Stopped before the answer was complete.")
            self._parts.runs.keep_soon(replace(record.failed(stopped), outcome=STOPPED, cost_usd=None))
            raise
        prompt = candidate.prompt
        faults = schema_faults(prompt.schema, answer.value) if prompt.schema is not None else ()
        run = run_of(
            prompt, ask.request, given.of(prompt), answer,
            operator=ask.operator, group_key=group_key, rehearsal=answer.rehearsal, lead_id=given.lead_id,
            schema_valid=None if prompt.schema is None else not faults, draft_of=candidate.draft_of,
        )  # fmt: skip
        run = _without_queue(run, answer.queue_seconds)
        return await self._kept(Trial(run=run, faults=(*faults, *own_faults(prompt, answer.text, answer.value))))

    async def _kept(self, trial: Trial) -> Trial:
        try:
            number = await self._parts.runs.keep(trial.run)
        except asyncio.CancelledError:
            self._parts.runs.keep_soon(trial.run)
            raise
        return replace(trial, run=replace(trial.run, id=number or 0))


class _Watched:
    """What was seen of an ask: its text, when the first of it came, and its exchanges."""

    def __init__(self, on_text: OnText | None) -> None:
        self.started = time.monotonic()
        self.first_token_seconds: float | None = None
        self.texts: list[str] = []
        self.attempts: list[AttemptRecord] = []
        self._on_text = on_text

    def see(self, text: str) -> None:
        if self.first_token_seconds is None:
            self.first_token_seconds = time.monotonic() - self.started
        self.texts.append(text)
        if self._on_text is not None:
            self._on_text(text)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Makes the record of a run that ended without an answer: with what had arrived, and what that cost."""

    parts: ClaudeParts
    candidate: Candidate
    given: PromptInput
    ask: Ask
    group_key: str
    watched: _Watched

    def failed(self, error: ClaudeError) -> PromptRun:
        run = run_of(
            self.candidate.prompt, self.ask.request, self.given.of(self.candidate.prompt), error,
            operator=self.ask.operator, group_key=self.group_key, rehearsal=self.parts.claude.rehearsal,
            lead_id=self.given.lead_id, duration_seconds=time.monotonic() - self.watched.started,
            attempts=self.watched.attempts, cost_usd=self._cost_usd(error), draft_of=self.candidate.draft_of,
        )  # fmt: skip
        text = plain_text("".join(self.watched.texts), ANSWER_MAX)
        return replace(run, answer_text=text, first_token_seconds=self.watched.first_token_seconds)

    def _cost_usd(self, error: ClaudeError) -> float | None:
        costs = [self.parts.prices.cost_usd(attempt.model, attempt.usage) for attempt in self.watched.attempts]
        known = [cost for cost in costs if cost is not None]
        outcomes = {error.kind, *(attempt.outcome for attempt in self.watched.attempts)}
        unknown = len(known) < len(costs) or (self.watched.attempts and not outcomes.isdisjoint(UNKNOWN_COSTS))
        return None if unknown else sum(known)


def _without_queue(run: PromptRun, queue_seconds: float) -> PromptRun:
    """The times from the send on: how long it waited says nothing of the prompt."""
    first = run.first_token_seconds
    return replace(
        run,
        first_token_seconds=None if first is None else max(0.0, first - queue_seconds),
        duration_seconds=max(0.0, run.duration_seconds - queue_seconds),
    )
