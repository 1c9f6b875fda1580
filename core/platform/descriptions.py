"""Descriptions: a listing in words, written by Claude from exactly what is known of it.

Owns which fields of a listing a prompt gets. Refuses to give out a text with a phrase that fair housing forbids: it is repaired
once, or not given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.claude.claude import Caching
from core.claude.messages import Answer, Ask, OnText, Reply
from core.claude.parts import ClaudeParts
from core.claude.streams import streamed
from core.database.pool import Database
from core.platform.fair_housing import Finding, check_text
from core.platform.identity import parse_id
from core.platform.prompt_values import listing_variables
from core.settings import Settings

PROMPT = "property_description"
CACHING = Caching(family="property_description", ttl_seconds=7 * 24 * 3600.0)  # Its key holds all of the listing's content.


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One listing and its description; `findings` are phrases that a person should look at before it is published."""

    listing: Mapping[str, Any]
    answer: Answer
    findings: tuple[Finding, ...] = ()


class Descriptions:
    """Describes listings."""

    def __init__(self, settings: Settings, database: Database, parts: ClaudeParts) -> None:
        self._settings = settings
        self._database = database
        self._parts = parts
        self._claude = parts.claude
        self._prompts = parts.prompts

    async def listing(self, property_id: str) -> Mapping[str, Any] | None:
        """What is known of one listing; None when there is none."""
        (id_type,) = await self._database.parameter_types("property")
        key = parse_id(property_id, id_type)
        found = await self._database.fetch_one("property", key) if key is not None else None
        return None if found is None else dict(found)

    async def describe(
        self, listing: Mapping[str, Any], *, operator: str, on_text: OnText | None = None, fresh: bool = False
    ) -> Described:
        """A listing's description; raises the ClaudeError that names why there is none."""
        ask = await self._ask(listing, operator)
        answer = await self._claude.ask(ask, caching=CACHING, check=phrases_of, on_text=on_text, fresh=fresh)
        return Described(listing=listing, answer=answer, findings=check_text(answer.text))

    def stream(self, listing: Mapping[str, Any], *, operator: str, fresh: bool = False) -> AsyncIterator[str | Described]:
        """The text as it comes, then the description; leaving early ends the call."""
        return streamed(lambda on_text: self.describe(listing, operator=operator, on_text=on_text, fresh=fresh))

    async def _ask(self, listing: Mapping[str, Any], operator: str) -> Ask:
        prompt = await self._prompts.in_use(PROMPT)
        values = listing_variables(listing)
        known = {name: values[name] for name in prompt.variables if name in values}
        return Ask(
            request=self._parts.request_of(prompt, known),
            prompt_name=prompt.name,
            prompt_version=prompt.label,
            operator=operator,
            priority="high",
            deadline_seconds=self._settings.claude_timeout_seconds,
        )


def phrases_of(reply: Reply) -> tuple[str, ...]:
    """What must not stand in a text by fair housing, one sentence each."""
    return tuple(finding.sentence for finding in check_text(reply.text) if finding.level == "remove")
