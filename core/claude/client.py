"""Client: one exchange with the Messages API through the vendor's SDK, ended by our deadline and named when it fails.

Refuses a model, an effort or a key that cannot work before anything is sent. Keys, prompts and answers are in no log and in no
error.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from core.claude.arriving import Arriving
from core.claude.body import message_body, prompt_body
from core.claude.exchange import Exchange
from core.claude.messages import MessageRequest, OnAttempt, OnText, Reply
from core.claude.models import Model, Models
from core.errors import ClaudeDown, ClaudeError, ClaudeKeyRefused, ClaudeTimeout
from core.tasks import end_tasks

if TYPE_CHECKING:
    import httpx2

    from core.claude.sdk import Sdk

BASE_URL = "https://api.anthropic.com"
KEY = re.compile(r"[\x21-\x7e]+")  # What a header can carry; a key has no spaces.
NO_KEY = "no-key-needed"  # What a transport that was given gets in place of a key.
FEW_SECONDS = 10.0  # For the list of models, and for counting.
CONTENT = ("application/json", "text/event-stream")


class ClaudeClient:
    """Bound to the loop that first sends; `middleware` are the SDK's own, where tests and dials put faults."""

    def __init__(
        self,
        api_key: str | None,
        *,
        base_url: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        connect_timeout_seconds: float = 5.0,
        models: Models | None = None,
        middleware: Sequence[Callable[..., Any]] = (),
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self.known_models = models or Models()
        self._key = (api_key or "").strip() or (NO_KEY if transport is not None else "")
        self._base_url = base_url or BASE_URL
        self._transport = transport
        self._connect_timeout_seconds = connect_timeout_seconds
        self._middleware = (self._watch, *middleware)
        self._today = today
        self._loading: asyncio.Task[Sdk] | None = None
        self._exchange: ContextVar[Exchange | None] = ContextVar("claude_exchange", default=None)

    async def open(self) -> None:
        """Nothing is loaded or connected before the first send, or `prepare`."""

    async def close(self) -> None:
        """Close the connections; what is under way ends as one that broke off."""
        loading, self._loading = self._loading, None
        if loading is None:
            return
        await end_tasks([loading])
        if not loading.cancelled() and loading.exception() is None:
            await loading.result().close()

    async def prepare(self) -> None:
        """Load the SDK ahead of the first send, which does it by itself."""
        await self._sdk()

    async def send(
        self,
        request: MessageRequest,
        *,
        timeout_seconds: float,
        on_text: OnText | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> Reply:
        """One exchange; streams when `on_text` is given. `value` is None where the text of a request with a schema is no JSON.

        Raises the ClaudeError that names what went wrong, ClaudeModelRetired and UsageError before anything is sent. Cancelled,
        it closes its connection. `on_attempt` gets the exchange once, if there was one; its outcome may be "cancelled".
        """
        self.known_models.check(request.model, self._today())
        self.known_models.check_request(request)
        self._check_key()
        exchange = Exchange(request.model)
        before = self._exchange.set(exchange)
        try:
            async with asyncio.timeout(timeout_seconds):
                reply = await self._reply(request, exchange, timeout_seconds, on_text)
            exchange.outcome = "ok"
            return reply
        except TimeoutError:
            exchange.outcome = ClaudeTimeout.kind
            raise ClaudeTimeout(f"No answer within {timeout_seconds:g} s.") from None
        except ClaudeError as error:
            exchange.outcome = error.kind
            raise
        except asyncio.CancelledError:
            exchange.outcome = "cancelled"
            raise
        finally:
            self._exchange.reset(before)
            if exchange.begun and on_attempt is not None:
                on_attempt(exchange.record())

    async def models(self) -> tuple[Model, ...]:
        """The models that the API offers to this key, newest first; raises as `send` does."""
        self._check_key()
        sdk = await self._sdk()
        with sdk.named(Exchange(""), None):
            return await sdk.models(FEW_SECONDS)

    async def count_tokens(self, request: MessageRequest) -> int:
        """The input tokens of a request, as the API counts them; raises as `send` does."""
        self._check_key()
        sdk = await self._sdk()
        body = prompt_body(request, self.known_models.known(request.model), sdk.schema)
        with sdk.named(Exchange(request.model), request):
            count = await sdk.client.messages.count_tokens(**body, timeout=sdk.timeout(FEW_SECONDS))
            return count.input_tokens

    async def _reply(
        self, request: MessageRequest, exchange: Exchange, timeout_seconds: float, on_text: OnText | None
    ) -> Reply:
        sdk = await self._sdk()
        arriving, named = Arriving(exchange), sdk.named(exchange, request)
        body = message_body(request, self.known_models.known(request.model), sdk.schema)
        body["timeout"] = sdk.timeout(timeout_seconds)
        if on_text is None:
            with named:
                arriving.take_message(await sdk.client.messages.create(**body))
            return arriving.reply(request)
        with named:
            stream = await sdk.client.messages.create(**body, stream=True)
        async with stream:
            while True:
                with named:
                    try:
                        text = arriving.take_event(await anext(stream))
                    except StopAsyncIteration:
                        return arriving.reply(request)
                if text:
                    exchange.saw_text()
                    on_text(text)

    async def _watch(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """The SDK's middleware: sees each exchange begin, and the head of its answer."""
        exchange = self._exchange.get()
        if exchange is None:
            return await call_next(request)
        exchange.begin()
        response = await call_next(request)
        exchange.answered(response.status_code, response.headers)
        if response.http_response.is_success and not response.headers.get("content-type", "").startswith(CONTENT):
            await response.close()
            raise ClaudeDown("The address answers, and not like the Messages API.")
        return response

    def _check_key(self) -> None:
        if not self._key:
            raise ClaudeKeyRefused("There is no key.", "Set ANTHROPIC_API_KEY and start again.")
        if not KEY.fullmatch(self._key):
            raise ClaudeKeyRefused("The key has characters that no key has; it is not sent.")

    async def _sdk(self) -> Sdk:
        if self._loading is None:
            self._loading = asyncio.create_task(self._load(), name="claude sdk")
        return self._loading.result() if self._loading.done() else await asyncio.shield(self._loading)

    async def _load(self) -> Sdk:
        sdk_class = await asyncio.to_thread(_sdk_class)
        return sdk_class(self._key, self._base_url, self._transport, self._connect_timeout_seconds, self._middleware)


def _sdk_class() -> type[Sdk]:
    """Import the SDK: two seconds of a processor, so off the loop, and only where Claude is asked.

    What it leaves is kept from the garbage collector, whose passes over it held up every loop of the process, for 0.2 s during
    the import and again later; 0.05 s are left.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        from core.claude.sdk import Sdk  # noqa: PLC0415

        gc.freeze()
        return Sdk
    finally:
        if collecting:
            gc.enable()
