"""What tests of the rehearsal share: the vendor's client over it, in time that passes only where something sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2
from pydantic import BaseModel

from core.claude.rehearsal import Author, Dials, rehearsal_transport

MODEL = "claude-haiku-5-5"
SAID = "This is a rehearsal"
HEADERS = {"authorization": "Bearer any", "anthropic-version": "2026-10-21"}


class SleptTime:
    """A clock that a sleep moves on; `slept` keeps each of them."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let the others begin, then move on: sleeps that begin together pass together."""
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class Rehearsing:
    """The client, and what it stands on; `ask` and `stream` fill in what a request needs."""

    def __init__(self, dials: Dials, author: Author | None = None) -> None:
        self.time = SleptTime()
        self.dials = dials
        transport = rehearsal_transport(dials, author, clock=self.time.clock, sleep=self.time.sleep)
        self.http = httpx2.AsyncClient(transport=transport, base_url="https://api.anthropic.com")
        self.client = anthropic.AsyncAnthropic(api_key="rehearsal", max_retries=0, http_client=self.http)

    async def ask(self, text: str = "Hello", **fields: Any) -> anthropic.types.Message:
        """A plain answer."""
        return await self.client.messages.create(**_body(text, fields))

    async def raw(self, text: str = "Hello", **fields: Any) -> httpx2.Response:
        """The answer's own bytes and headers, without the vendor's client."""
        return await self.http.post("/v1/messages", headers=HEADERS, json=_body(text, fields))

    @asynccontextmanager
    async def stream(self, text: str = "Hello", **fields: Any) -> AsyncIterator[Any]:
        """A streamed answer."""
        async with self.client.messages.stream(**_body(text, fields)) as stream:
            yield stream


def _body(text: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    base = {"model": MODEL, "max_tokens": 1_000, "thinking": {"type": "disabled"}}
    return {**base, "messages": [{"role": "user", "content": text}], **fields}


def text_of(message: Any) -> str:
    """The text of an answer, by blocks of that type."""
    return "".join(block.text for block in message.content if block.type == "text")


def unknown_fields(value: object) -> list[str]:
    """Fields anywhere in an answer that the vendor's own types do not have."""
    if isinstance(value, list):
        return [name for part in value for name in unknown_fields(part)]
    if not isinstance(value, BaseModel):
        return []
    inside = [name for field in type(value).model_fields for name in unknown_fields(getattr(value, field))]
    return [*(value.model_extra or {}), *inside]
