"""Keys: every name that the cache uses in Redis, made in one place.

Owns prefix, version and hash tag. A value and its lease share the hash tag, so that a cluster keeps them on one node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from core.errors import UsageError
from core.settings import CACHE_PREFIX

LAYOUT: Final = "v1"  # Of the names; the format of a value has its own number, in the envelope.


class Keys:
    """The names under one prefix."""

    def __init__(self, prefix: str) -> None:
        if not CACHE_PREFIX.fullmatch(prefix):
            raise ValueError(f"A prefix has 1 to 64 letters, digits and _ . : - only, not {prefix[:80]!r}.")
        self._root = f"{prefix}{LAYOUT}:"
        self._value = self._root + "{"
        self.channel = self._root + "bus"
        self._prefix = prefix

    def value(self, key: str) -> str:
        """Where the value of a key is; every other name that it shares a hash tag with does not end in a brace."""
        return f"{self._value}{key if key.isascii() else _encodable(key)}}}"

    def values(self, keys: Iterable[str]) -> list[str]:
        """The same of many keys, without a call for each."""
        value = self._value
        return [f"{value}{key}}}" for key in keys]

    def lease(self, key: str) -> str:
        """Where the right to load a key is."""
        return f"{self._value}{_encodable(key)}}}:lease"

    def tag(self, tag: str) -> str:
        """Where the generation of a tag is."""
        return f"{self._root}tag:{_encodable(tag)}"

    def gain(self, run: str) -> str:
        """Where the gain of a warm run is."""
        return f"{self._root}gain:{_encodable(run)}"

    def values_of(self, prefix: str) -> str:
        """The SCAN pattern of all values whose key starts so."""
        return f"{_escaped(self._value + prefix)}*}}"

    def key_of(self, name: str) -> str:
        """The key of a value's name."""
        return name[len(self._value) : -1]

    def owns(self, name: str) -> bool:
        """Whether a name of this Redis is under our prefix."""
        return name.startswith(self._prefix)


def _encodable(text: str) -> str:
    """The text itself; UsageError here, at its one caller, rather than where it would spoil the batch of others."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{text[:80]!r} is no name in Redis: it is not Unicode.") from error
    return text


def _escaped(text: str) -> str:
    """The text with the signs of Redis' patterns taken literally."""
    return re.sub(r"([*?\[\]\\^-])", r"\\\1", text)
