"""PromptRun: one run of one version of a prompt: what went in, what came out, how long it took and what it cost.

Owns the making of a run out of an answer or an error, and its bounds. Two versions side by side, or one over a set of leads,
are runs of one group.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from core.claude.messages import Answer, AttemptRecord, MessageRequest, Source, Usage
from core.claude.plain import plain_json, plain_text
from core.claude.prompts import PromptVersion
from core.errors import ClaudeError

ANSWER_MAX, ERROR_MAX, NOTE_MAX, VARIABLE_MAX = 200_000, 2_000, 2_000, 100_000  # Characters.
VALUE_MAX_BYTES = 200_000
Origin = Source | Literal["none"]


@dataclass(frozen=True, slots=True)
class SentSettings:
    """What was chosen for the request."""

    model: str
    max_tokens: int
    effort: str | None
    thinking: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRun:
    """One run; `id` is 0 until it is stored, `outcome` is "ok", "stopped" or the kind of a ClaudeError.

    `cost_usd` is None without a price, and where nobody can tell what was billed.

    `variables` are what the prompt was given: canonical facts of a lead, never its name or contacts. Where the text that ran
    was in no store, `draft` is that text as JSON, and `prompt_version` the version that it was made from, or 0.
    """

    id: int = 0
    run_key: str = field(default_factory=lambda: uuid.uuid4().hex)
    group_key: str
    operator: str
    prompt_name: str
    prompt_version: int
    lead_id: str | None
    variables: Mapping[str, str]
    settings: SentSettings
    source: Origin
    rehearsal: bool
    outcome: str
    error: str = ""
    answer_text: str = ""
    answer_value: Any = None
    schema_valid: bool | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    attempts: int = 0
    repairs: int = 0
    first_token_seconds: float | None = None
    duration_seconds: float = 0.0
    note: str = ""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    draft: str = ""

    @property
    def label(self) -> str:
        """The text that ran: "version 3", or "draft 1f0c9a2b" by the hash of its content."""
        return label_of(self.text_that_ran()) if self.draft else f"version {self.prompt_version}"

    def text_that_ran(self) -> PromptVersion | None:
        """The draft that ran; None where it was a version."""
        return PromptVersion(**orjson.loads(self.draft)) if self.draft else None


def label_of(prompt: PromptVersion | None) -> str:
    """What a version or a draft is called."""
    if prompt is None:
        return ""
    return f"version {prompt.version}" if prompt.version else f"{prompt.kind} {prompt.content_hash[:8]}"


def run_of(
    prompt: PromptVersion,
    request: MessageRequest,
    variables: Mapping[str, str],
    result: Answer | ClaudeError,
    *,
    operator: str,
    group_key: str,
    rehearsal: bool,
    lead_id: str | None = None,
    schema_valid: bool | None = None,
    duration_seconds: float = 0.0,
    attempts: Sequence[AttemptRecord] = (),
    cost_usd: float | None = None,
    note: str = "",
    draft_of: int = 0,
) -> PromptRun:
    """The run that ended in an answer, or in an error; a text in no store is kept with its run.

    `duration_seconds`, `attempts` and `cost_usd` are for an error: an answer brings its own. `draft_of` is for a draft: the
    version that it was made from.
    """
    run = PromptRun(
        group_key=plain_text(group_key, 100),
        operator=plain_text(operator, 200),
        prompt_name=prompt.name,
        prompt_version=prompt.version or draft_of,
        draft="" if prompt.version else plain_text(orjson.dumps(prompt.as_json()).decode()),
        lead_id=lead_id,
        variables={name: plain_text(value, VARIABLE_MAX) for name, value in variables.items()},
        settings=SentSettings(request.model, request.max_tokens, request.effort, request.thinking),
        source="none",
        rehearsal=rehearsal,
        outcome="ok",
        schema_valid=schema_valid,
        usage=sum((attempt.usage for attempt in attempts), Usage()),
        cost_usd=cost_usd,
        attempts=len(attempts),
        duration_seconds=duration_seconds,
        note=plain_text(note, NOTE_MAX),
    )
    return _answered(run, result) if isinstance(result, Answer) else _failed(run, result)


def _answered(run: PromptRun, answer: Answer) -> PromptRun:
    return replace(
        run,
        source=answer.source,
        rehearsal=answer.rehearsal,
        answer_text=plain_text(answer.text, ANSWER_MAX),
        answer_value=plain_json(answer.value, VALUE_MAX_BYTES),
        usage=answer.usage,
        cost_usd=answer.cost_usd,
        attempts=len(answer.attempts),
        repairs=answer.repairs,
        first_token_seconds=answer.first_token_seconds,
        duration_seconds=answer.duration_seconds,
    )


def _failed(run: PromptRun, error: ClaudeError) -> PromptRun:
    return replace(run, outcome=error.kind, error=plain_text(str(error), ERROR_MAX))
