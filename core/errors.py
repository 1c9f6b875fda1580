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
    """PostgreSQL refused a statement; the driver's error is the cause."""

    default_next_step = "Read the message of PostgreSQL; it names the statement's fault."


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
