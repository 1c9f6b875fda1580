"""Sdk: the vendor's client as we use it, and the only file that imports it; importing this takes two seconds of a processor.

Owns that nothing comes out of the environment but proxies, that nothing is retried or traced, and that no log holds a prompt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import anthropic
import httpx2
import orjson
from anthropic.types import ModelInfo

from core.claude.exchange import Exchange
from core.claude.failures import named
from core.claude.messages import Effort, MessageRequest
from core.claude.models import Model, ThinkingType
from core.errors import UsageError
from core.settings import is_loopback

CONNECTIONS = 256  # More than the scheduler ever has under way.
MODELS_LISTED = 1000  # At once; the API allows no more.
SCHEMAS_KEPT = 64
# At DEBUG they write whole prompts. A level of their own holds, whatever the root's is and whatever ANTHROPIC_LOG says.
TALKATIVE = ("anthropic", "anthropic._base_client", "anthropic._response", "httpx2", "httpcore2")
THINKING_TYPES: tuple[ThinkingType, ...] = ("adaptive", "disabled", "between_tools", "enabled")
EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")

Middleware = Callable[..., Any]


class Sdk:
    """One AsyncAnthropic; bound to the loop that sends."""

    def __init__(
        self,
        key: str,
        base_url: str,
        transport: httpx2.AsyncBaseTransport | None,
        connect_timeout_seconds: float,
        middleware: Sequence[Middleware],
    ) -> None:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._key = key
        self._connect_timeout_seconds = connect_timeout_seconds
        self._schemas: dict[bytes, dict[str, Any]] = {}
        self.client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=base_url,
            max_retries=0,
            open_telemetry=False,
            http_client=_http_client(base_url, transport),
            middleware=cast("Any", tuple(middleware)),
        )
        self.client._custom_headers = {}  # noqa: SLF001 - those of ANTHROPIC_CUSTOM_HEADERS: no argument keeps them out

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def models(self, timeout_seconds: float) -> tuple[Model, ...]:
        """The API's list of models."""
        page = self.client.models.list(limit=MODELS_LISTED, timeout=self.timeout(timeout_seconds))
        return tuple([listed_model(info) async for info in page])

    def timeout(self, seconds: float) -> httpx2.Timeout:
        """What the transport may wait for."""
        return httpx2.Timeout(seconds, connect=min(seconds, self._connect_timeout_seconds))

    def named(self, exchange: Exchange, request: MessageRequest | None) -> named:
        """A clause in which what the SDK raises becomes a ClaudeError."""
        return named(exchange, request, self._key)

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema as the API's grammar can hold it; raises UsageError for one that is none."""
        written = orjson.dumps(schema)
        if (known := self._schemas.get(written)) is not None:
            return known
        try:
            transformed = anthropic.transform_schema(schema)
        except (ValueError, AssertionError, AttributeError, TypeError) as error:
            raise UsageError(f"The schema cannot be sent: {error}", "Correct the prompt's schema.") from None
        if len(self._schemas) >= SCHEMAS_KEPT:
            self._schemas.clear()
        self._schemas[written] = transformed
        return transformed


def listed_model(info: ModelInfo) -> Model:
    """One model of the API's list."""
    can = info.capabilities
    efforts = thinking = structured = None
    if can is not None:
        efforts = tuple(name for name in EFFORTS if _supported(getattr(can.effort, name, None)))
        thinking = tuple(name for name in THINKING_TYPES if _supported(getattr(can.thinking.types, name, None)))
        structured = _supported(can.structured_outputs)
    return Model(
        id=info.id,
        title=info.display_name,
        lifecycle=getattr(info, "lifecycle", None) or "active",
        retires_at=None if info.retires_at is None else info.retires_at.date(),
        max_input_tokens=info.max_input_tokens,
        max_output_tokens=info.max_tokens,
        efforts=efforts,
        thinking=thinking,
        structured_outputs=structured,
    )


def _supported(capability: Any) -> bool:
    return bool(getattr(capability, "supported", False))


def _http_client(base_url: str, transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    if transport is None and is_loopback(urlsplit(base_url).hostname or ""):
        transport = httpx2.AsyncHTTPTransport(limits=limits)  # No proxy stands between a machine and itself.
    given = {} if transport is None else {"transport": transport}
    return anthropic.DefaultAsyncHttpxClient(limits=limits, follow_redirects=False, **cast("Any", given))
