"""Fair housing: phrases in a description that an advertisement of a home should not have (42 U.S.C. 3604(c)).

Owns the reading of fair_housing.toml. It helps a person who reads the text: a text without findings is not thereby lawful.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

ProtectedClass = Literal["race", "religion", "sex", "familial_status", "national_origin", "disability", "steering"]
FindingLevel = Literal["remove", "look"]

PHRASES_FILE = Path(__file__).with_name("fair_housing.toml")
# One sign for one, so that positions stay: hyphens and apostrophes that word processors and models write.
_PLAIN_SIGNS = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2018\u2019", "-----''")
_GAP = r"[\s\-]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A phrase that was found at text[start:end], why it is on the list and what to write in its place."""

    text: str
    start: int
    end: int
    protected_class: ProtectedClass
    level: FindingLevel
    reason: str
    instead: str

    @property
    def sentence(self) -> str:
        """The finding in words: what an operator reads, and what a model is told when it repairs its text."""
        return f"{self.text!r}: {self.reason} {self.instead}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One entry of the list."""

    pattern: re.Pattern[str]
    protected_class: ProtectedClass
    level: FindingLevel
    reason: str
    instead: str


class FairHousing:
    """Finds the phrases of a file in texts."""

    def __init__(self, path: Path = PHRASES_FILE) -> None:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        words: Mapping[str, str] = content["words"]
        self._harmless = _pattern(content["harmless"]["phrases"], words)
        self._phrases = tuple(_phrase(entry, words) for entry in content["phrase"])

    def findings(self, text: str) -> tuple[Finding, ...]:
        """Every phrase found, in the order of the text; of two that overlap, the one to remove, else the longer."""
        plain = self._harmless.sub(lambda match: "\x00" * len(match[0]), text.translate(_PLAIN_SIGNS))
        found = [
            Finding(
                text=text[match.start() : match.end()],
                start=match.start(),
                end=match.end(),
                protected_class=phrase.protected_class,
                level=phrase.level,
                reason=phrase.reason,
                instead=phrase.instead,
            )
            for phrase in self._phrases
            for match in phrase.pattern.finditer(plain)
        ]
        return _without_overlaps(found)


def check_text(text: str) -> tuple[Finding, ...]:
    """The findings of the list that ships."""
    return _shipped().findings(text)


@cache
def _shipped() -> FairHousing:
    return FairHousing()


def _without_overlaps(found: Sequence[Finding]) -> tuple[Finding, ...]:
    kept: list[Finding] = []
    for one in sorted(found, key=lambda it: (it.level != "remove", it.start - it.end, it.start)):
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda it: it.start))


def _phrase(entry: Mapping[str, Any], words: Mapping[str, str]) -> Phrase:
    return Phrase(
        pattern=_pattern(entry["find"], words),
        protected_class=entry["class"],
        level=entry["level"],
        reason=entry["reason"],
        instead=entry["instead"],
    )


def _pattern(expressions: Sequence[str], words: Mapping[str, str]) -> re.Pattern[str]:
    """One expression of whole words for all, its lists of words filled in, its spaces standing for any gap."""
    whole = "|".join(f"(?:{expression})" for expression in expressions)
    filled = re.sub(r"\{([a-z]+)\}", lambda match: words[match[1]], whole)
    return re.compile(rf"(?<!\w)(?:{_spaced(filled)})(?!\w)", re.IGNORECASE)


def _spaced(expression: str) -> str:
    return expression.replace(" ?", _GAP.replace("+", "*")).replace(" ", _GAP)
