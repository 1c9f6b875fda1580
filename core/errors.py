"""The error tree: every error that core raises on purpose, each with what to do next.

CoreError
├── SettingsError            a variable has a value that cannot work
├── DependencyError          a server that we stand on does not do its part
│   ├── DependencyDown       it does not answer
│   ├── DependencyTimeout    it did not answer in time
│   │   └── PoolExhausted    every connection of the pool was busy; the server may be well
│   ├── BreakerOpen          it failed too often; it is left alone for a while
│   └── EmbeddedServerError  the server that we start ourselves cannot be started
├── CacheLoadError           a load of the cache ended without a value
├── EnvelopeError            a value in Redis cannot be read, or is too large to be kept there
├── QueryError               PostgreSQL refused a statement
├── SchemaError              the schema is not the one that this version needs
├── TargetError              an action that changes data is not allowed on this target
├── OperationError           an operation cannot be started, found or cancelled
├── ImportFileError          a file cannot be imported as it is
├── LoadError                traffic cannot be made
├── WarmError                a warm run gave up
├── CacheTypeError           a value cannot be cached as it is
├── ClaudeError              an ask of Claude ended without an answer that can be used; `kind` says why
│   ├── ClaudeDown           the API does not answer, or refuses the connection
│   ├── ClaudeTimeout        no answer within the time of the ask
│   ├── ClaudeRateLimited    429: too many requests or tokens at once
│   ├── ClaudeOverloaded     529 or 5xx: the API is in trouble
│   ├── ClaudeSpendLimit     the account has reached its own limit of spending
│   ├── ClaudeOverBudget     our own budget is used up; nothing was sent
│   ├── ClaudeKeyRefused     401 or 403: the key is not accepted
│   ├── ClaudeBadRequest     400: the request itself is at fault
│   ├── ClaudeModelRetired   the model is retired or unknown
│   ├── ClaudeRefused        the model declined to answer
│   ├── ClaudeTruncated      the answer met max_tokens
│   ├── ClaudeThinkingOnly   the answer has thinking and no text
│   ├── ClaudeCutStream      the stream ended before the message did
│   ├── ClaudeInvalid        the answer does not fit its schema or its bounds, also after one repair
│   ├── ClaudeQueueFull      too many asks wait
│   └── ClaudeHeld           background work is held for now
├── UsageError               an argument has a value that cannot work
└── SampleDataError          the sample data cannot be read or loaded
"""

from __future__ import annotations

from typing import Literal


class CoreError(Exception):
    """Root of the tree; `next_step` is one sentence that tells the operator what to do."""

    default_next_step = "Read the log of the console for the cause."

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.next_step = next_step or self.default_next_step


class SettingsError(CoreError):
    """A setting has a value that cannot work."""

    default_next_step = "Correct the variable in the environment or in .env and start again."


class DependencyError(CoreError):
    """A server that we stand on does not do its part."""


class DependencyDown(DependencyError):
    """The server refuses or drops the connection."""

    default_next_step = "Start the server or correct its URL; the console reconnects by itself."


class DependencyTimeout(DependencyError):
    """The server did not answer within the time that the call allows."""

    default_next_step = "Look at the load of the server; the console tries again by itself."


class PoolExhausted(DependencyTimeout):
    """No connection of the pool became free in time."""


class BreakerOpen(DependencyError):
    """A circuit breaker refuses the call, so that a server in trouble is left alone."""

    default_next_step = "It tries again within seconds; one that was opened by hand waits until it is set to automatic."


class EmbeddedServerError(DependencyError):
    """A server that the console starts from a wheel cannot be started or attached to."""


class EnvelopeError(CoreError):
    """A value in Redis cannot be read, or is too large; `kind` says which: poisoned, newer or too_large."""

    default_next_step = "Delete the key, or leave it to expire: until then the value is loaded from its source."

    def __init__(self, kind: Literal["poisoned", "newer", "too_large"], message: str, next_step: str | None = None) -> None:
        super().__init__(message, next_step)
        self.kind = kind


class QueryError(CoreError):
    """PostgreSQL refused a statement; the driver's error is the cause. `passes`: it may take the same one later."""

    default_next_step = "Read the message of PostgreSQL; it names the statement's fault."

    def __init__(self, message: str, next_step: str | None = None, *, passes: bool = False) -> None:
        super().__init__(message, next_step)
        self.passes = passes


class SchemaError(CoreError):
    """The schema found is not the one that this version of the console needs."""


class SampleDataError(CoreError):
    """The sample data that ships with the repository cannot be read or loaded."""


class TargetError(CoreError):
    """An action that changes data is not allowed on this target; the next step says what allows it."""


class OperationError(CoreError):
    """An operation cannot be started, found or cancelled."""


class ImportFileError(CoreError):
    """A file cannot be imported as it is: its reading, its mapping or its rows are at fault."""


class CacheLoadError(CoreError):
    """A load ended without a value and without an error of its own."""

    default_next_step = "The next read tries again; read the log for what ended the load."


class CacheTypeError(CoreError):
    """A value would come back from the cache unequal or as another type."""

    default_next_step = "Cache bytes, or JSON with str keys: dict, list, str, int of 64 bits, finite float, bool, None."


class UsageError(CoreError):
    """An argument of a command, or a field of a form, has a value that cannot work."""

    default_next_step = "Choose a value within the bounds."


class WarmError(CoreError):
    """A warm run gave up before all of its keys were dealt with."""

    default_next_step = "Look at the reasons of the first keys that failed, and run it again: what is warm is skipped."


class LoadError(CoreError):
    """Traffic cannot be made, or the generator of it failed."""


class ClaudeError(CoreError):
    """An ask of Claude ended without an answer that can be used."""

    kind = "other"

    def __init__(self, message: str, next_step: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, next_step)
        self.retry_after_seconds = retry_after_seconds


class ClaudeDown(ClaudeError):
    """The API does not answer, or refuses or drops the connection."""

    kind = "down"
    default_next_step = "Check the network and ANTHROPIC_BASE_URL; until then the rules answer."


class ClaudeTimeout(ClaudeError):
    """No answer within the time of the ask."""

    kind = "timeout"
    default_next_step = "Ask again, or choose a faster model, less effort or a smaller max_tokens."


class ClaudeRateLimited(ClaudeError):
    """429: more requests or tokens at once than the account may."""

    kind = "rate_limited"
    default_next_step = "Wait: the scheduler slows down by itself; hold background work if people wait."


class ClaudeOverloaded(ClaudeError):
    """529 or another 5xx: the API is in trouble."""

    kind = "overloaded"
    default_next_step = "Wait: the scheduler tries again; CLAUDE_FALLBACK_MODEL can take over."


class ClaudeSpendLimit(ClaudeError):
    """The account has reached its own limit of spending; trying again does not help."""

    kind = "spend_limit"
    default_next_step = "Raise the limit in the account's billing settings, or wait until it is reset."


class ClaudeOverBudget(ClaudeError):
    """Our own budget is used up; nothing was sent."""

    kind = "over_budget"
    default_next_step = "Raise CLAUDE_BUDGET_DAY_USD, or wait for the next day (UTC); until then the rules answer."


class ClaudeKeyRefused(ClaudeError):
    """401 or 403: the key is not accepted."""

    kind = "key_refused"
    default_next_step = "Correct ANTHROPIC_API_KEY and start again."


class ClaudeBadRequest(ClaudeError):
    """400: the request itself is at fault."""

    kind = "bad_request"
    default_next_step = "Read the API's message and correct the prompt, its schema or its parameters."


class ClaudeModelRetired(ClaudeError):
    """The model is retired or unknown to the API."""

    kind = "model_retired"
    default_next_step = "Set CLAUDE_MODEL to a model of the list on the Claude page."


class ClaudeRefused(ClaudeError):
    """The model declined to answer."""

    kind = "refused"
    default_next_step = "Reword the prompt; asking the same again gives the same."


class ClaudeTruncated(ClaudeError):
    """The answer met max_tokens before its end."""

    kind = "truncated"
    default_next_step = "Raise max_tokens, turn thinking off or lower the effort."


class ClaudeThinkingOnly(ClaudeError):
    """The answer has thinking and no text."""

    kind = "thinking_only"
    default_next_step = "Turn thinking off, or raise max_tokens: thinking counts inside it."


class ClaudeCutStream(ClaudeError):
    """The stream ended before the message did; what arrived is incomplete."""

    kind = "cut_stream"
    default_next_step = "Ask again; if it lasts, look for a proxy that ends long answers."


class ClaudeInvalid(ClaudeError):
    """The answer does not fit its schema or its bounds, also after one repair."""

    kind = "invalid"
    default_next_step = "Look at the answer on the Prompts page and make the schema or the prompt clearer."


class ClaudeQueueFull(ClaudeError):
    """Too many asks wait already."""

    kind = "queue_full"
    default_next_step = "Wait until the queue is shorter; the Claude page shows it."


class ClaudeHeld(ClaudeError):
    """Background work is held for now."""

    kind = "held"
    default_next_step = "Release the hold on the Claude page, or wait until it ends by itself."
