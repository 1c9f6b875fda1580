"""Models: which ones there are, until when, and what each of them takes.

Owns the dated table `models.toml`, which holds until the API's own list has been read, and the checks before a send. Refuses a
retired model, and an effort or a thinking that a model does not know; a model that nobody has heard of is left to the API.
"""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from core.claude.messages import Effort, MessageRequest
from core.errors import ClaudeModelRetired, UsageError

Lifecycle = Literal["active", "deprecated", "retired"]
ThinkingType = Literal["adaptive", "disabled", "between_tools", "enabled"]

DEFAULT_MODEL = "claude-haiku-5-5"
MODELS_FILE = Path(__file__).with_name("models.toml")
THINKING_TOKENS = 2_048  # Thinking counts inside max_tokens; at low effort on a few facts it stays well below.
WARNING_DAYS = 60  # What the vendor gives as notice of a retirement, at the least.


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model; None stands for what is not known, and is then left to the API."""

    id: str
    title: str
    lifecycle: Lifecycle = "active"
    retires_at: date | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    efforts: tuple[Effort, ...] | None = None
    thinking: tuple[ThinkingType, ...] | None = None
    thinking_off_efforts: tuple[Effort, ...] | None = None  # Those that it takes with thinking off; None means all.
    structured_outputs: bool | None = None
    min_cacheable_tokens: int | None = None  # A shorter prompt is never cached by the API.

    @property
    def thinking_off(self) -> ThinkingType | None:
        """How it is told not to think; None where it always does."""
        if self.thinking is None or "disabled" in self.thinking:
            return "disabled"
        return "between_tools" if "between_tools" in self.thinking else None


FetchModels = Callable[[], Awaitable[tuple[Model, ...]]]


class Models:
    """The known models: the API's list where it was read, and the dated table beside it."""

    def __init__(self, file: Path = MODELS_FILE) -> None:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        self.table_date: date = document["as_of"]
        self._aliases: Mapping[str, str] = document["aliases"]
        self._table = {model.id: model for model in map(_model, document["models"])}
        self._live: dict[str, Model] = {}

    @property
    def live(self) -> bool:
        """Whether the API's own list has been read."""
        return bool(self._live)

    async def refresh(self, fetch: FetchModels) -> tuple[Model, ...]:
        """Read the API's list, such as `ClaudeClient.models`; raises as that does, and then keeps what it knew."""
        self._live = {model.id: self._completed(model) for model in await fetch()}
        return self.offered()

    def offered(self) -> tuple[Model, ...]:
        """The models to choose from, newest first: those of the list, or of the table until it is read."""
        return tuple(model for model in (self._live or self._table).values() if model.lifecycle != "retired")

    def all(self) -> tuple[Model, ...]:
        """Every model of the list, or of the table until it is read; retired ones too."""
        return tuple((self._live or self._table).values())

    def known(self, model: str) -> Model | None:
        """What is known of a model by its id or another name of it."""
        name = self._aliases.get(model, model)
        return self._live.get(model) or self._live.get(name) or self._table.get(name)

    def check(self, model: str, today: date) -> str | None:
        """A sentence of warning, or None; raises ClaudeModelRetired for a model that does not answer any more."""
        found = self.known(model)
        if found is None:
            return f"{model} is on no list of models: the API decides whether it answers."
        left = None if found.retires_at is None else (found.retires_at - today).days
        overdue = left is not None and left <= 0 and found.id not in self._live  # A live model may outlive its date.
        if found.lifecycle == "retired" or overdue:
            since = "" if found.retires_at is None else f" since {found.retires_at}"
            raise ClaudeModelRetired(
                f"{model} is retired{since}.", f"Set CLAUDE_MODEL={DEFAULT_MODEL}, or choose another model."
            )
        if left is not None and left <= WARNING_DAYS:
            return f"{model} retires on {found.retires_at}: set CLAUDE_MODEL={DEFAULT_MODEL}, or choose another model."
        if self._live and found.id not in self._live:
            return f"{model} is not on the API's list of models any more: set CLAUDE_MODEL={DEFAULT_MODEL}."
        return None

    def check_request(self, request: MessageRequest) -> None:
        """Refuse with a UsageError what the model of a request does not take."""
        if request.max_tokens < 1:
            raise UsageError("max_tokens is at least 1.")
        model = self.known(request.model)
        if model is None:
            return
        if model.max_output_tokens is not None and request.max_tokens > model.max_output_tokens:
            raise UsageError(
                f"{model.id} writes at most {model.max_output_tokens:,} tokens; max_tokens is {request.max_tokens:,}."
            )
        if request.schema is not None and model.structured_outputs is False:
            raise UsageError(f"{model.id} takes no schema.", f"Choose another model, such as {DEFAULT_MODEL}.")
        _check_effort(model, request)
        _check_thinking(model, request)

    def fitted(self, request: MessageRequest) -> MessageRequest:
        """The request as its model takes it, for a model that the text was not written for.

        An effort that the model does not know is left out. Where it always thinks it may, with room for that beside the answer.
        """
        model = self.known(request.model)
        if model is None:
            return request
        if request.thinking == "off" and model.thinking_off is None and model.thinking is not None:
            request = replace(request, thinking="adaptive", max_tokens=request.max_tokens + THINKING_TOKENS)
        known = model.thinking_off_efforts if request.thinking == "off" and model.thinking_off_efforts else model.efforts
        unknown = request.effort is not None and known is not None and request.effort not in known
        return replace(request, effort=None) if unknown else request

    def _completed(self, model: Model) -> Model:
        """A model of the list, with what only the table says."""
        dated = self._table.get(self._aliases.get(model.id, model.id))
        if dated is None:
            return model
        lacking = {item.name: getattr(dated, item.name) for item in fields(Model) if getattr(model, item.name) is None}
        return replace(model, **{name: value for name, value in lacking.items() if name != "retires_at"})


def _check_effort(model: Model, request: MessageRequest) -> None:
    known = model.efforts
    if request.effort is None or known is None or request.effort in known:
        return
    named = f"Choose one of {', '.join(known)}." if known else "Leave the effort empty."
    raise UsageError(f"{model.id} does not know the effort {request.effort}.", named)


def _check_thinking(model: Model, request: MessageRequest) -> None:
    if request.thinking == "off":
        if model.thinking_off is None:
            raise UsageError(
                f"{model.id} always thinks: thinking cannot be off.", "Set thinking to adaptive, or choose another model."
            )
        allowed = model.thinking_off_efforts
        if request.effort is not None and allowed is not None and request.effort not in allowed:
            raise UsageError(
                f"{model.id} takes the effort {request.effort} only while it thinks.",
                f"Set thinking to adaptive, or choose one of {', '.join(allowed)}.",
            )
    elif model.thinking is not None and "adaptive" not in model.thinking:
        raise UsageError(f"{model.id} does not know adaptive thinking.", "Turn thinking off, or choose another model.")


def _model(table: Mapping[str, Any]) -> Model:
    lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
    return Model(**{**table, **lists})
