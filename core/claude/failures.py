"""Failures: what the SDK and its transport raise, as the ClaudeErrors that say what to do next.

Owns the words. Refuses to repeat a key, a prompt or an answer: of the API's own message only a part is shown, and nothing of it
where it quotes the prompt.
"""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2

from core.claude.exchange import Exchange
from core.claude.limits import RETRY_AFTER_CAP_SECONDS
from core.claude.messages import MessageRequest
from core.errors import (
    ClaudeBadRequest,
    ClaudeCutStream,
    ClaudeDown,
    ClaudeError,
    ClaudeKeyRefused,
    ClaudeModelRetired,
    ClaudeOverloaded,
    ClaudeRateLimited,
    ClaudeSpendLimit,
    ClaudeTimeout,
)

SPEND_LIMITS = ("contract_spend_limit_reached", "enforced_spend_limit_reached", "linked_organization_spend_limit_reached")
MESSAGE_CHARACTERS = 300
CODE_CHARACTERS = 60
QUOTE_CHARACTERS = 24  # So much of a prompt, word for word, is a quotation.

SHORT_PROMPT_CHARACTERS = 8

# By the type of the error, which the API also names where the status is 200 because the stream had begun.
BY_TYPE: dict[str, type[ClaudeError]] = {
    "rate_limit_error": ClaudeRateLimited,
    "overloaded_error": ClaudeOverloaded,
    "api_error": ClaudeOverloaded,
    "timeout_error": ClaudeTimeout,
    "authentication_error": ClaudeKeyRefused,
    "permission_error": ClaudeKeyRefused,
    "billing_error": ClaudeSpendLimit,
    "invalid_request_error": ClaudeBadRequest,
    "request_too_large": ClaudeBadRequest,
    "not_found_error": ClaudeModelRetired,
}
BY_STATUS: dict[int, type[ClaudeError]] = {
    401: ClaudeKeyRefused,
    402: ClaudeSpendLimit,
    403: ClaudeKeyRefused,
    408: ClaudeTimeout,
    429: ClaudeRateLimited,
}
SAYS: dict[type[ClaudeError], str] = {
    ClaudeRateLimited: "The API is asked for more than the account may",
    ClaudeOverloaded: "The API is in trouble",
    ClaudeTimeout: "The API gave up waiting",
    ClaudeKeyRefused: "The API does not accept the key",
    ClaudeSpendLimit: "The account may not spend more",
    ClaudeBadRequest: "The API refuses the request",
    ClaudeModelRetired: "The API does not know the model",
}
# What the reading of an answer raises that is not what the Messages API sends; all but the first two are the SDK's or ours.
BROKEN = (
    httpx2.DecodingError,
    httpx2.StreamError,
    ValueError,
    AssertionError,
    AttributeError,
    TypeError,
    LookupError,
    RuntimeError,
)


NEVER_REACHED = (httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol)


class named:  # noqa: N801 - reads as a clause: `with named(exchange, request, key):`
    """Raises ClaudeErrors in place of what the SDK raises; of an error that holds the answer's body no cause is kept."""

    def __init__(self, exchange: Exchange, request: MessageRequest | None, key: str) -> None:
        self._exchange = exchange
        self._request = request
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        match error:
            case anthropic.APIStatusError():
                raise self._of_status(error) from None
            case anthropic.APIConnectionError() | httpx2.TransportError():
                raise self._of_transport(error) from error
            case anthropic.APIError():
                raise ClaudeCutStream("The answer is not what the Messages API sends.") from None
            case Exception() if isinstance(error, BROKEN):
                raise self._of_reading(error) from None

    def _of_status(self, error: anthropic.APIStatusError) -> ClaudeError:
        status, kind = error.status_code, error.type if isinstance(error.type, str) else ""
        raised = self._class(status, kind, error.error_code or "")
        if raised is ClaudeDown:
            return ClaudeDown(f"The address answers {status}, and not like the Messages API.")
        wait = self._exchange.retry_after_seconds
        said = ", ".join(filter(None, (str(status), (error.error_code or kind)[:CODE_CHARACTERS])))
        message = f"{SAYS[raised]} ({said}){self._quoted(error.api_message)}."
        if wait is not None and wait > RETRY_AFTER_CAP_SECONDS:
            message += f" It asks to wait {wait:,.0f} s; it is asked again after {RETRY_AFTER_CAP_SECONDS:.0f} s."
            wait = self._exchange.retry_after_seconds = RETRY_AFTER_CAP_SECONDS
        return raised(message, retry_after_seconds=wait)

    @staticmethod
    def _class(status: int, kind: str, code: str) -> type[ClaudeError]:
        if code in SPEND_LIMITS or kind == "billing_error":
            return ClaudeSpendLimit
        if 200 <= status < 300:
            return BY_TYPE.get(kind, ClaudeOverloaded)
        if status >= 500:
            return ClaudeOverloaded
        if status == 404:
            return ClaudeModelRetired if kind == "not_found_error" else ClaudeDown
        if status < 400:
            return ClaudeDown
        return BY_STATUS.get(status) or BY_TYPE.get(kind, ClaudeBadRequest)

    def _quoted(self, said: Any) -> str:
        """The API's own words, as far as they may be shown."""
        if not isinstance(said, str) or not said.strip():
            return ""
        words = " ".join(said.split())
        shown = words[:MESSAGE_CHARACTERS].rstrip(".")
        if (self._key and self._key in words) or self._quotes_prompt(shown):
            return "; its message quotes what was sent and is left out"
        return f": {shown}" + ("..." if len(words) > MESSAGE_CHARACTERS else "")

    def _quotes_prompt(self, shown: str) -> bool:
        if self._request is None:
            return False
        texts = [" ".join(text.split()) for text in (self._request.system, *(turn.text for turn in self._request.turns))]
        pieces = {shown[at : at + QUOTE_CHARACTERS] for at in range(max(1, len(shown) - QUOTE_CHARACTERS + 1))}
        return any(
            any(piece in text for piece in pieces) or (len(text) >= SHORT_PROMPT_CHARACTERS and text in shown) for text in texts
        )

    def _of_transport(self, error: Exception) -> ClaudeError:
        cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
        self._exchange.reached = not isinstance(cause, NEVER_REACHED)
        if isinstance(cause, httpx2.ConnectTimeout):
            return ClaudeDown("The API does not take the connection in time.")
        if isinstance(cause, httpx2.TimeoutException):
            return ClaudeTimeout("The API stopped answering.")
        if isinstance(cause, httpx2.ConnectError | httpx2.ProxyError | httpx2.UnsupportedProtocol):
            return ClaudeDown("The API cannot be reached.")
        if self._exchange.status is not None:
            return ClaudeCutStream("The connection broke before the message ended.")
        return ClaudeDown("The API dropped the connection.")

    def _of_reading(self, error: Exception) -> ClaudeError:
        what = type(error).__name__
        return ClaudeCutStream(f"The answer broke off into something that the Messages API does not send ({what}).")
