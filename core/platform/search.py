"""Search: what a list is asked for, and its one cache key.

Owns the form of a key's rest: `limit=100&market=austin&min_score=50`, in the order of the alphabet, with defaults filled in,
300000.0 as 300000. What asks for nothing (None) is left out, so that it differs from an empty text. Refuses any other form.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote

from core.errors import UsageError

SLUG_MOST_CHARACTERS = 64
WORDS_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Base of the searches: each field is text, an int or a float, and None asks for nothing."""

    family: ClassVar[str]
    market: str | None = None

    @property
    def key(self) -> str:
        """The cache key of the answer."""
        return f"{self.family}:{self.rest}"

    @property
    def rest(self) -> str:
        """The key without its family."""
        given = {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}
        return "&".join(f"{name}={_text(given[name])}" for name in sorted(given))

    @classmethod
    def parse(cls, rest: str) -> Self:
        """The search behind the rest of a key; raises UsageError for all but the one form of a search within its bounds."""
        types = {item.name: str(item.type) for item in fields(cls)}
        try:
            given = dict(part.split("=", 1) for part in rest.split("&"))
            search = cls(**{name: _value(types[name], text) for name, text in given.items()})
        except (KeyError, ValueError) as error:
            raise UsageError(
                f"{rest[:80]!r} is no key of {cls.family}.", f"Its parameters are {', '.join(sorted(types))}."
            ) from error
        if search.rest != rest:
            raise UsageError(f"{rest[:80]!r} is not the one form of this key.", f"Write {search.key!r}.")
        return search


def check(name: str, holds: bool, rule: str) -> None:
    """Raise UsageError, unless a parameter holds to its rule."""
    if not holds:
        raise UsageError(f"{name} has a value that cannot work: it {rule}.")


def check_text(name: str, text: str | None, most_characters: int) -> None:
    """Raise UsageError for a text that is too long, or that PostgreSQL cannot hold."""
    if text is not None:
        check(name, len(text) <= most_characters, f"has at most {most_characters} characters")
        check(name, "\x00" not in text, "has no NUL")


def quoted(text: str) -> str:
    """A text as a part of a key: what could be taken for the key's own signs is percent-encoded."""
    return quote(text, safe="")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _value(annotation: str, text: str) -> Any:
    if "float" in annotation:
        return float(text)
    return int(text) if "int" in annotation else unquote(text, errors="strict")
