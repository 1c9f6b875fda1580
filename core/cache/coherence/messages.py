"""Messages: what processes tell each other on the bus, as text.

`k:<version>:<key>` the key is now this version, 0 = it is gone; `t:<generation>:<tag>` the tag has this generation;
`h:<process>:<n>` the n-th heartbeat of a process. Numbers are hexadecimal, but for n.
"""

from __future__ import annotations

from typing import NamedTuple


class KeyChanged(NamedTuple):
    """A key was written (its new version) or deleted (0)."""

    key: str
    version: int


class TagChanged(NamedTuple):
    """A tag was invalidated."""

    tag: str
    generation: int


class Heartbeat(NamedTuple):
    """A process lives and its messages arrive."""

    process_id: int
    number: int


Message = KeyChanged | TagChanged | Heartbeat


def key_message(key: str, version: int) -> str:
    """The message of a write, or of a delete with version 0."""
    return f"k:{version:x}:{key}"


def tag_message(tag: str, generation: int) -> str:
    """The message of an invalidated tag."""
    return f"t:{generation:x}:{tag}"


def heartbeat_message(process_id: int, number: int) -> str:
    """The message that a process sends to hear it again."""
    return f"h:{process_id:x}:{number}"


def parse(data: bytes) -> Message:
    """The message in these bytes; ValueError when there is none."""
    kind, number, rest = data.decode().split(":", 2)
    if kind == "k":
        return KeyChanged(rest, int(number, 16))
    if kind == "t":
        return TagChanged(rest, int(number, 16))
    if kind == "h":
        return Heartbeat(int(number, 16), int(rest))
    raise ValueError(f"There is no message of the kind {kind!r}.")
