"""Feeds: the text of an answer that is being written, for everybody who waits for it.

Owns the text so far. One call is made for many equal asks; who joins late gets what was written, then what comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.claude.messages import Ask, OnText


class Feed:
    """One answer that somebody waits for; `ask` and `error` are those of the call that is made for it."""

    def __init__(self) -> None:
        self.ask: Ask | None = None
        self.error_kind = ""
        self.waiting = 0
        self._written: list[str] = []
        self._readers: list[OnText] = []

    def begin(self, ask: Ask) -> None:
        """A call is made for this ask."""
        self.ask, self.error_kind = ask, ""
        self._written.clear()

    def write(self, text: str) -> None:
        """Pass a piece of text on to every reader."""
        self._written.append(text)
        for reader in self._readers:
            reader(text)

    def join(self, reader: OnText) -> None:
        """Give a reader what was written, and what comes."""
        if self._written:
            reader("".join(self._written))
        self._readers.append(reader)

    def leave(self, reader: OnText) -> None:
        """Give this reader nothing more."""
        self._readers.remove(reader)


class Feeds:
    """The answers under way by key; bound to one event loop."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}

    @contextmanager
    def joined(self, key: str, reader: OnText | None) -> Iterator[Feed]:
        """The feed of a key while one waits for its answer; the last who leaves ends it."""
        feed = self._feeds.setdefault(key, Feed())
        feed.waiting += 1
        if reader is not None:
            feed.join(reader)
        try:
            yield feed
        finally:
            if reader is not None:
                feed.leave(reader)
            feed.waiting -= 1
            if not feed.waiting:
                del self._feeds[key]
