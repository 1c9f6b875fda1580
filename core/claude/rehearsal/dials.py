"""Dials: how fast a rehearsal answers, what it limits, and which share of its answers goes wrong.

Owns the words of REHEARSAL_FAULTS. A snapshot is frozen; an operator's change replaces it whole, so that a reader in any thread
sees one state.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.errors import UsageError

FaultWord = Literal["429", "529", "timeout", "truncate", "cut", "refuse", "error"]

# Word -> field of Faults.
WORDS: dict[FaultWord, str] = {
    "429": "rate_limited",
    "529": "overloaded",
    "timeout": "timeout",
    "truncate": "truncate",
    "cut": "cut",
    "refuse": "refuse",
    "error": "error",
}
_SHAPE = 'Write it like "429:0.02, 529:0.01, timeout:0, truncate:0, cut:0".'


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of all answers, together at most 1; the rest is well.

    `timeout` never answers; `truncate` ends early at max_tokens; `cut` ends without the end of the message; `refuse` is the
    model's own refusal; `error` breaks a stream with an error event, and answers a plain call with 500.
    """

    rate_limited: float = 0.0
    overloaded: float = 0.0
    timeout: float = 0.0
    truncate: float = 0.0
    cut: float = 0.0
    refuse: float = 0.0
    error: float = 0.0

    def __post_init__(self) -> None:
        shares = self.shares()
        for word, share in shares:
            if not 0 <= share <= 1:
                raise UsageError(f"The share of {word} is {share:g}; it is a number from 0 to 1.", _SHAPE)
        if sum(share for _, share in shares) > 1 + 1e-9:
            raise UsageError("The shares of all faults together are more than 1.", _SHAPE)

    def shares(self) -> tuple[tuple[FaultWord, float], ...]:
        """Each word with its share, in one fixed order."""
        return tuple((word, getattr(self, name)) for word, name in WORDS.items())

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read words and shares; raises UsageError that names the wrong word."""
        given: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            word, colon, share = (piece.strip() for piece in part.partition(":"))
            name = next((name for known, name in WORDS.items() if known == word), None)
            if name is None:
                raise UsageError(f"{word!r} is not a fault of the rehearsal; the faults are {', '.join(WORDS)}.", _SHAPE)
            if name in given:
                raise UsageError(f"{word!r} is named twice.", _SHAPE)
            if not colon:
                raise UsageError(f"{word!r} has no share.", _SHAPE)
            given[name] = _number(word, share)
        return cls(**given)


def _number(word: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"The share of {word!r} is {text!r}, which is not a number.", _SHAPE) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DialValues:
    """All dials at one moment; `tokens_per_second` may be infinite, a limit of None does not limit.

    The limits are of each model. `burst_seconds` is how many seconds of a limit may be used at once.
    """

    first_token_seconds: float = 0.35
    tokens_per_second: float = 150.0
    faults: Faults = Faults()
    requests_per_minute: float | None = 4_000.0
    input_tokens_per_minute: float | None = 4_000_000.0
    output_tokens_per_minute: float | None = 800_000.0
    burst_seconds: float = 60.0
    retry_after_seconds: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.first_token_seconds >= 0:
            raise UsageError("The time to the first token is 0 seconds or more.")
        if not (self.tokens_per_second > 0 and self.burst_seconds > 0):
            raise UsageError("Tokens per second and the seconds of a burst are more than 0.")
        limits = (self.requests_per_minute, self.input_tokens_per_minute, self.output_tokens_per_minute)
        if any(limit is not None and not limit > 0 for limit in limits):
            raise UsageError("A limit per minute is more than 0, or none.")


class Dials:
    """The dials in use; safe from threads."""

    def __init__(self, values: DialValues | None = None) -> None:
        self._values = values or DialValues()
        self._lock = threading.Lock()

    @property
    def values(self) -> DialValues:
        """The dials now."""
        return self._values

    def change(self, **changes: Any) -> DialValues:
        """Replace these fields of DialValues from the next request on; raises UsageError and changes nothing."""
        with self._lock:
            self._values = replace(self._values, **changes)
            return self._values

    @classmethod
    def parse(cls, faults: str, **others: Any) -> Dials:
        """Dials with these faults ("429:0.02, cut:0.01") and other fields of DialValues; raises UsageError."""
        return cls(DialValues(faults=Faults.parse(faults), **others))
