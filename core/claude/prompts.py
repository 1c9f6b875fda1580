"""PromptVersion: one text of a prompt that never changes, and the request that it makes of variables.

Owns the words of a prompt and their bounds. Variables stand in the template alone, as `$name` or `${name}` (string.Template;
`$$` is a dollar sign): the system prompt is the same for every ask, so that the API can cache it. Refuses to read a value as a
template.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from string import Template
from typing import Any, get_args

import orjson

from core.claude.messages import Effort, MessageRequest, Thinking, Turn
from core.claude.models import DEFAULT_MODEL
from core.claude.prompt_schema import check_schema
from core.errors import UsageError

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}")
TITLE_MAX, NOTE_MAX, TEXT_MAX, VALUE_MAX, VARIABLES_MAX = 200, 2_000, 100_000, 100_000, 50  # Characters; the last a count.
MAX_TOKENS_MOST = 128_000
SHIPPED = "shipped"
CONTENT = ("title", "system", "template", "schema", "model", "max_tokens", "effort", "thinking")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptVersion:
    """One version; number 0 is a text that is in no store. Without `model` the one of the settings answers."""

    name: str
    version: int = 0
    title: str
    system: str = ""
    template: str
    schema: Mapping[str, Any] | None = None
    model: str | None = None
    max_tokens: int
    effort: Effort | None = None
    thinking: Thinking = "off"
    author: str = ""
    created_at: datetime | None = None
    note: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in the template, in the order of their first use."""
        return tuple(Template(self.template).get_identifiers())

    @property
    def label(self) -> str:
        """The version as an ask names it: its number, and for a text in no store what it is."""
        return str(self.version) if self.version else f"{self.kind}-{self.content_hash[:12]}"

    @property
    def kind(self) -> str:
        """What it is: "shipped", or "version", or "draft" where an operator's text is in no store."""
        return SHIPPED if self.author == SHIPPED else "version" if self.version else "draft"

    @property
    def content_hash(self) -> str:
        """SHA-256 of all that decides an answer, also the order of the schema's properties, and of the title."""
        content = {name: getattr(self, name) for name in CONTENT}
        return hashlib.sha256(orjson.dumps(content)).hexdigest()

    def checked(self) -> PromptVersion:
        """This version; raises UsageError for the first field that cannot work."""
        _require(bool(NAME.fullmatch(self.name)), "name", "has 1 to 63 small letters, digits and _, and begins with a letter")
        for field, most in (("title", TITLE_MAX), ("note", NOTE_MAX), ("system", TEXT_MAX), ("template", TEXT_MAX)):
            _check_text(field, getattr(self, field), most)
        _require(bool(self.title.strip()), "title", "is not empty")
        _require(bool(self.template.strip()), "template", "is not empty")
        _require(Template(self.template).is_valid(), "template", "has variables as $name or ${name}, and a dollar sign as $$")
        _require(len(self.variables) <= VARIABLES_MAX, "template", f"has at most {VARIABLES_MAX} variables")
        _require(1 <= self.max_tokens <= MAX_TOKENS_MOST, "max_tokens", f"is a number from 1 to {MAX_TOKENS_MOST:,}")
        _require(self.model is None or bool(MODEL.fullmatch(self.model)), "model", "is the id of a model, or empty")
        _require(self.effort is None or self.effort in get_args(Effort), "effort", f"is one of {', '.join(get_args(Effort))}")
        _require(self.thinking in get_args(Thinking), "thinking", f"is one of {', '.join(get_args(Thinking))}")
        if self.schema is not None:
            check_schema(self.schema)
        return self

    def render(self, variables: Mapping[str, str], *, default_model: str = DEFAULT_MODEL) -> MessageRequest:
        """The request for these values; raises UsageError for a variable that is missing, unknown or too long."""
        known = self.variables
        if missing := [name for name in known if name not in variables]:
            raise UsageError(f"The prompt {self.name} needs {', '.join(missing)}.", "Give a value for each of its variables.")
        if unknown := [str(name)[:80] for name in variables if name not in known]:
            named = f"Its variables are: {', '.join(known)}." if known else "It has no variables."
            raise UsageError(f"The prompt {self.name} knows no {', '.join(unknown)}.", named)
        for name in known:
            _check_text(name, variables[name], VALUE_MAX)
        return MessageRequest(
            model=self.model or default_model,
            turns=(Turn("user", Template(self.template).substitute(variables)),),
            max_tokens=self.max_tokens,
            system=self.system,
            effort=self.effort,
            thinking=self.thinking,
            schema=self.schema,
        )

    def edited(self, **changes: Any) -> PromptVersion:
        """The draft that an edit makes of this version, checked; raises UsageError."""
        return replace(self, **{"version": 0, "author": "", "created_at": None, **changes}).checked()

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON values; what a store and an export hold."""
        return {**asdict(self), "created_at": None if self.created_at is None else self.created_at.isoformat()}


def _check_text(field: str, text: object, most: int) -> None:
    _require(isinstance(text, str), field, "is text")
    assert isinstance(text, str)
    _require(len(text) <= most, field, f"has at most {most:,} characters, not {len(text):,}")
    plain = "\x00" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
    _require(plain, field, "has no NUL and no half of a surrogate pair")


def _require(condition: bool, field: str, rule: str) -> None:
    if not condition:
        raise UsageError(f"{field} has a value that cannot work: it {rule}.")
